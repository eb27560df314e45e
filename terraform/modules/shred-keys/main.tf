# Who may do what with the tenants' shred keys: one secret of Secrets Manager a tenant, which the key vault makes and destroys by itself. What is
# made here are policies, since the secrets come and go with the tenants, past Terraform.
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
data "aws_region" "current" {}

locals {
  secrets = "arn:${data.aws_partition.current.partition}:secretsmanager:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}:secret:${var.prefix}ten_*"
}

data "aws_iam_policy_document" "vault" {
  statement {
    actions   = ["secretsmanager:CreateSecret", "secretsmanager:GetSecretValue", "secretsmanager:DeleteSecret"]
    resources = [local.secrets]
  }
}

data "aws_iam_policy_document" "fetcher" {
  statement {
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [local.secrets]
  }
}
