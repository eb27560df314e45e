# Entries of Secrets Manager, without their values: those are put in past Terraform (docs/operations/deploy.md), so that no state file
# holds a secret. Each is a JSON object whose members are environment variables.
terraform {
  required_version = ">= 1.7"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

locals {
  processes = {
    operator         = "WEIR_OPERATOR_TOKEN, of every service"
    migrate          = "WEIR_POSTGRES_ADMIN_URL of the migration; no service reads it"
    tenant-registry  = "WEIR_POSTGRES_URL of login weir_tenant_registry, WEIR_POSTGRES_MIGRATOR_URL of login weir_migrator"
    key-vault        = "WEIR_POSTGRES_URL of login weir_key_vault"
    rate-limiter     = "WEIR_POSTGRES_URL of login weir_rate_limiter"
    upstream-fetcher = "WEIR_POSTGRES_URL of login weir_upstream_fetcher"
    metering         = "WEIR_POSTGRES_URL of login weir_metering, WEIR_WEBHOOK_KEY of 64 hexadecimal digits"
    audit-ledger     = "WEIR_POSTGRES_URL of login weir_audit_ledger"
  }
  platform_keys = { for name in var.platform_keys : name => "Upstream key of the platform: named in WEIR_PLATFORM_KEY_SECRETS, the key vault takes it at its first boot" }
  names         = merge({ for process, _ in local.processes : process => "${var.prefix}/${process}" }, { for name, _ in local.platform_keys : name => name })
  entries       = merge(local.processes, local.platform_keys)
}

resource "aws_secretsmanager_secret" "this" {
  for_each                = local.entries
  name                    = local.names[each.key]
  description             = each.value
  recovery_window_in_days = var.recovery_window_in_days
  kms_key_id              = var.kms_key_id
  tags                    = var.tags
}

data "aws_iam_policy_document" "read" {
  for_each = local.entries
  statement {
    actions   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
    resources = [aws_secretsmanager_secret.this[each.key].arn]
  }
}

# One policy an entry: who runs a process gets its own and not its neighbours'.
resource "aws_iam_policy" "read" {
  for_each    = local.entries
  name        = "${var.prefix}-read-${replace(each.key, "/", "-")}"
  description = "Reads the secret ${local.names[each.key]}"
  policy      = data.aws_iam_policy_document.read[each.key].json
  tags        = var.tags
}
