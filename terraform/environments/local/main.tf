# The modules against a local AWS endpoint (moto): what `npm run check:deploy` applies, and what a real environment looks like but for
# the provider. A real one also has a backend for its state.
terraform {
  required_version = ">= 1.7"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

variable "endpoint" {
  description = "Address of the local AWS endpoint."
  type        = string
  default     = "http://127.0.0.1:5000"
}

variable "name" {
  description = "Of the alias, and before every other name."
  type        = string
  default     = "weir"
}

variable "platform_key" {
  description = "Name of the entry for the platform's upstream key: WEIR_PLATFORM_KEY_SECRETS of key-vault."
  type        = string
  default     = "tiklive/platform-key"
}

provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "local"
  secret_key                  = "local"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  endpoints {
    iam            = var.endpoint
    kms            = var.endpoint
    secretsmanager = var.endpoint
    sts            = var.endpoint
  }
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

# What the two services run as. In a cluster: roles for their service accounts.
resource "aws_iam_role" "service" {
  for_each           = toset(["key-vault", "upstream-fetcher"])
  name               = "${var.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

module "kms" {
  source                  = "../../modules/kms"
  alias                   = var.name
  vault_role_arns         = [aws_iam_role.service["key-vault"].arn]
  fetcher_role_arns       = [aws_iam_role.service["upstream-fetcher"].arn]
  deletion_window_in_days = 7
  tenant_key_arns         = [module.tenant_key.key_arn]
}

# Of a tenant that has a key of its own. In an account of the tenant's it is applied by the tenant, and its ARN is a variable here.
module "tenant_key" {
  source                  = "../../modules/tenant-key"
  tenant_id               = "ten_01k0000000000000000000000a"
  vault_role_arns         = [aws_iam_role.service["key-vault"].arn]
  fetcher_role_arns       = [aws_iam_role.service["upstream-fetcher"].arn]
  deletion_window_in_days = 7
}

resource "aws_iam_role_policy" "tenant_keys" {
  for_each = { "key-vault" = module.kms.vault_policy, "upstream-fetcher" = module.kms.fetcher_policy }
  name     = "tenant-keys"
  role     = aws_iam_role.service[each.key].name
  policy   = each.value
}

resource "aws_iam_role_policy_attachment" "platform_key" {
  role       = aws_iam_role.service["key-vault"].name
  policy_arn = module.secrets.read_policy_arns[var.platform_key]
}

module "shred_keys" {
  source = "../../modules/shred-keys"
  prefix = "${var.name}/shred/"
}

resource "aws_iam_role_policy" "shred_keys" {
  for_each = { "key-vault" = module.shred_keys.vault_policy, "upstream-fetcher" = module.shred_keys.fetcher_policy }
  name     = "shred-keys"
  role     = aws_iam_role.service[each.key].name
  policy   = each.value
}

module "secrets" {
  source                  = "../../modules/secrets"
  prefix                  = var.name
  platform_keys           = [var.platform_key]
  recovery_window_in_days = 0
}

output "kms_key_arn" {
  value = module.kms.key_arn
}

output "kms_alias" {
  description = "WEIR_KMS_KEY_ID of key-vault and upstream-fetcher."
  value       = module.kms.alias
}

output "secret_names" {
  value = module.secrets.names
}
