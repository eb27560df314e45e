# Without an account: the provider is mocked.
mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "210987654321" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
}

variables {
  tenant_id         = "ten_01k0000000000000000000000a"
  vault_role_arns   = ["arn:aws:iam::123456789012:role/weir-key-vault"]
  fetcher_role_arns = ["arn:aws:iam::123456789012:role/weir-upstream-fetcher"]
}

run "serves_one_tenant_and_one_purpose" {
  command = plan
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.key.statement :
      statement.sid == "Account" || jsonencode({ for condition in statement.condition : condition.variable => [condition.test, condition.values] }) == jsonencode({
        "kms:EncryptionContext:purpose"   = ["StringEquals", ["upstream-key"]]
        "kms:EncryptionContext:tenant_id" = ["StringEquals", ["ten_01k0000000000000000000000a"]]
      })
    ])
    error_message = "The installation may use the key for its owner alone."
  }
  assert {
    condition = jsonencode({
      for statement in data.aws_iam_policy_document.key.statement : statement.sid => sort(statement.actions)
      }) == jsonencode({
      Account = ["kms:*"]
      Vault   = ["kms:Decrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
      Fetcher = ["kms:Decrypt"]
    })
    error_message = "The vault seals and opens, the fetcher opens."
  }
}

run "is_nobodys_key" {
  command = plan
  variables {
    tenant_id = "ten_*"
  }
  expect_failures = [var.tenant_id]
}
