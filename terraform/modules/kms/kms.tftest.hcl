# Without an account: the provider is mocked, the policy document below stands for the rendered one.
mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
  mock_resource "aws_kms_key" {
    defaults = {
      arn    = "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000"
      key_id = "00000000-0000-0000-0000-000000000000"
    }
  }
}

variables {
  vault_role_arns   = ["arn:aws:iam::123456789012:role/weir-key-vault"]
  fetcher_role_arns = ["arn:aws:iam::123456789012:role/weir-upstream-fetcher"]
}

run "rotates_and_dies_slowly" {
  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_kms_key.this.deletion_window_in_days == 30
    error_message = "The key must rotate, and leave 30 days to think again."
  }
  assert {
    condition     = output.alias == "alias/weir"
    error_message = "The alias is what services are given."
  }
}

run "vault_seals_and_opens_the_fetcher_opens" {
  command = plan
  assert {
    # as JSON: == tells a set of strings from a tuple of the same strings
    condition = jsonencode({
      for statement in data.aws_iam_policy_document.key.statement : statement.sid => sort(statement.actions)
      }) == jsonencode({
      Account = ["kms:*"]
      Vault   = ["kms:Decrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
      Fetcher = ["kms:Decrypt"]
    })
    error_message = "Only the vault makes and rewraps data keys; the fetcher only opens."
  }
}

run "every_grant_is_bound_to_a_tenant_and_a_purpose" {
  command = plan
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.key.statement :
      statement.sid == "Account" || join(",", sort([for condition in statement.condition : condition.variable])) == "kms:EncryptionContext:purpose,kms:EncryptionContext:tenant_id"
    ])
    error_message = "A service's grant must require the encryption context."
  }
}

run "refuses_a_hasty_deletion" {
  command = plan
  variables {
    deletion_window_in_days = 1
  }
  expect_failures = [var.deletion_window_in_days]
}
