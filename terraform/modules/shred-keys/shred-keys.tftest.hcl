# Without an account: the provider is mocked.
mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
}

run "the_fetcher_reads_and_the_vault_destroys" {
  command = plan
  assert {
    condition     = jsonencode(data.aws_iam_policy_document.fetcher.statement[0].actions) == jsonencode(["secretsmanager:GetSecretValue"])
    error_message = "The fetcher only reads shred keys."
  }
  assert {
    condition     = contains(data.aws_iam_policy_document.vault.statement[0].actions, "secretsmanager:DeleteSecret")
    error_message = "The vault destroys shred keys."
  }
}

run "nothing_but_shred_keys_of_tenants" {
  command = plan
  assert {
    condition = alltrue([
      for document in [data.aws_iam_policy_document.vault, data.aws_iam_policy_document.fetcher] :
      jsonencode(document.statement[0].resources) == jsonencode(["arn:aws:secretsmanager:eu-central-1:123456789012:secret:weir/shred/ten_*"])
    ])
    error_message = "Neither reaches another secret."
  }
}
