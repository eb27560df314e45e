# A tenant's own KMS key, for its own account: whoever applies this keeps the key, and with it the last word. Disabling it stops the tenant's upstream
# keys within five minutes; deleting it is the end of every copy of them.
terraform {
  required_version = ">= 1.7"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

resource "aws_kms_key" "this" {
  description             = "Weir: wraps the data keys of ${var.tenant_id}"
  enable_key_rotation     = true
  deletion_window_in_days = var.deletion_window_in_days
  policy                  = data.aws_iam_policy_document.key.json
  tags                    = var.tags
}

data "aws_iam_policy_document" "key" {
  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root"]
    }
  }
  dynamic "statement" {
    for_each = {
      Vault   = { roles = var.vault_role_arns, actions = ["kms:GenerateDataKey", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo"] }
      Fetcher = { roles = var.fetcher_role_arns, actions = ["kms:Decrypt"] }
    }
    content {
      sid       = statement.key
      actions   = statement.value.actions
      resources = ["*"]
      principals {
        type        = "AWS"
        identifiers = statement.value.roles
      }
      # for this tenant's upstream keys, and for nobody else's
      condition {
        test     = "StringEquals"
        variable = "kms:EncryptionContext:tenant_id"
        values   = [var.tenant_id]
      }
      condition {
        test     = "StringEquals"
        variable = "kms:EncryptionContext:purpose"
        values   = ["upstream-key"]
      }
    }
  }
}
