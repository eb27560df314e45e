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

run "keys_of_others_are_named_and_nothing_but_what_they_are_for_is_allowed" {
  command = plan
  variables {
    tenant_key_arns        = ["arn:aws:kms:eu-central-1:210987654321:key/tenants"]
    transfer_key_arns      = ["arn:aws:kms:eu-central-1:333333333333:key/theirs"]
    transferring_role_arns = ["arn:aws:iam::333333333333:role/weir-key-vault"]
  }
  assert {
    condition = jsonencode({
      for statement in data.aws_iam_policy_document.vault_elsewhere.statement : statement.sid => [sort(statement.actions), sort(statement.resources)]
      }) == jsonencode({
      TenantKeys = [["kms:Decrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"], ["arn:aws:kms:eu-central-1:210987654321:key/tenants"]]
      Transfers  = [["kms:ReEncryptTo"], ["arn:aws:kms:eu-central-1:333333333333:key/theirs"]]
    })
    error_message = "The vault uses tenants' keys, and only wraps under those of other installations."
  }
  assert {
    condition     = jsonencode([for statement in data.aws_iam_policy_document.fetcher_elsewhere.statement : [statement.actions, statement.resources]]) == jsonencode([[["kms:Decrypt"], ["arn:aws:kms:eu-central-1:210987654321:key/tenants"]]])
    error_message = "The fetcher opens under tenants' keys, and has nothing to do with transfers."
  }
  assert {
    condition = one([
      for statement in data.aws_iam_policy_document.key.statement :
      jsonencode([statement.actions, [for condition in statement.condition : condition.values if condition.variable == "kms:EncryptionContext:purpose"]]) if statement.sid == "Transfers"
    ]) == jsonencode([["kms:ReEncryptTo"], [["key-transfer"]]])
    error_message = "Another installation wraps for this one, for a transfer alone."
  }
}

run "without_keys_of_others_there_is_no_policy" {
  command = plan
  assert {
    condition     = output.vault_policy == null && output.fetcher_policy == null
    error_message = "A policy without a statement is none."
  }
}
