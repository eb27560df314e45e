# The key-encryption key: data keys are wrapped under it, it wraps nothing else, and only two services may ask it.
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
  description             = "Weir: wraps the data keys of upstream API keys"
  enable_key_rotation     = true
  deletion_window_in_days = var.deletion_window_in_days
  policy                  = data.aws_iam_policy_document.key.json
  tags                    = var.tags
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.alias}"
  target_key_id = aws_kms_key.this.key_id
}

data "aws_iam_policy_document" "key" {
  # without it a key can lose its last administrator for good; it lets IAM policies of the account grant, it grants nobody by itself
  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root"]
    }
  }

  # the vault seals and opens, rewraps when keys are rotated, and signs its reports with a key that is sealed for a purpose of its own
  dynamic "statement" {
    for_each = length(var.vault_role_arns) > 0 ? [1] : []
    content {
      sid       = "Vault"
      actions   = ["kms:GenerateDataKey", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
      resources = ["*"]
      principals {
        type        = "AWS"
        identifiers = var.vault_role_arns
      }
      dynamic "condition" {
        for_each = local.vault_context
        content {
          test     = condition.value.test
          variable = condition.value.variable
          values   = condition.value.values
        }
      }
    }
  }

  # the fetcher opens, and makes no data key
  dynamic "statement" {
    for_each = length(var.fetcher_role_arns) > 0 ? [1] : []
    content {
      sid       = "Fetcher"
      actions   = ["kms:Decrypt"]
      resources = ["*"]
      principals {
        type        = "AWS"
        identifiers = var.fetcher_role_arns
      }
      dynamic "condition" {
        for_each = local.fetcher_context
        content {
          test     = condition.value.test
          variable = condition.value.variable
          values   = condition.value.values
        }
      }
    }
  }

  # another installation wraps a tenant's data keys for this one, to go with its archive, and can do nothing else
  dynamic "statement" {
    for_each = length(var.transferring_role_arns) > 0 ? [1] : []
    content {
      sid       = "Transfers"
      actions   = ["kms:ReEncryptTo"]
      resources = ["*"]
      principals {
        type        = "AWS"
        identifiers = var.transferring_role_arns
      }
      dynamic "condition" {
        for_each = local.transfer_context
        content {
          test     = condition.value.test
          variable = condition.value.variable
          values   = condition.value.values
        }
      }
    }
  }
}

locals {
  # every request names whose data key it is and what for (libs/envelope); a request that does not is not one of ours
  tenant             = { test = "StringLike", variable = "kms:EncryptionContext:tenant_id", values = ["ten_*"] }
  vault_context      = [{ test = "StringEquals", variable = "kms:EncryptionContext:purpose", values = ["upstream-key", "report-signing", "key-transfer"] }, local.tenant]
  fetcher_context    = [{ test = "StringEquals", variable = "kms:EncryptionContext:purpose", values = ["upstream-key"] }, local.tenant]
  tenant_key_context = [{ test = "StringEquals", variable = "kms:EncryptionContext:purpose", values = ["upstream-key"] }, local.tenant]
  transfer_context   = [{ test = "StringEquals", variable = "kms:EncryptionContext:purpose", values = ["key-transfer"] }, local.tenant]
}

# What the two roles may do with keys that are not this one: a tenant's own, and those of installations that tenants move to. Those keys' own
# policies have to allow it as well (modules/tenant-key makes such a key).
data "aws_iam_policy_document" "vault_elsewhere" {
  dynamic "statement" {
    for_each = length(var.tenant_key_arns) > 0 ? [1] : []
    content {
      sid       = "TenantKeys"
      actions   = ["kms:GenerateDataKey", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
      resources = var.tenant_key_arns
      dynamic "condition" {
        for_each = local.tenant_key_context
        content {
          test     = condition.value.test
          variable = condition.value.variable
          values   = condition.value.values
        }
      }
    }
  }
  dynamic "statement" {
    for_each = length(var.transfer_key_arns) > 0 ? [1] : []
    content {
      sid       = "Transfers"
      actions   = ["kms:ReEncryptTo"]
      resources = var.transfer_key_arns
      dynamic "condition" {
        for_each = local.transfer_context
        content {
          test     = condition.value.test
          variable = condition.value.variable
          values   = condition.value.values
        }
      }
    }
  }
}

data "aws_iam_policy_document" "fetcher_elsewhere" {
  dynamic "statement" {
    for_each = length(var.tenant_key_arns) > 0 ? [1] : []
    content {
      sid       = "TenantKeys"
      actions   = ["kms:Decrypt"]
      resources = var.tenant_key_arns
      dynamic "condition" {
        for_each = local.fetcher_context
        content {
          test     = condition.value.test
          variable = condition.value.variable
          values   = condition.value.values
        }
      }
    }
  }
}
