mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:weir/x-AbCdEf" }
  }
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/weir-read-x" }
  }
}

run "each_process_has_an_entry_of_its_own" {
  assert {
    condition = toset(values(output.names)) == toset([
      "weir/operator", "weir/migrate", "weir/tenant-registry", "weir/key-vault",
      "weir/rate-limiter", "weir/upstream-fetcher", "weir/metering", "weir/audit-ledger", "tiklive/platform-key",
    ])
    error_message = "The names are those that k8s/components/external-secrets and the key vault ask for."
  }
  assert {
    condition     = keys(output.read_policy_arns) == keys(output.names)
    error_message = "Every entry has its own reading policy."
  }
}

run "platform_keys_have_the_names_that_they_are_given" {
  variables {
    platform_keys = ["tiklive/platform-key", "tiklive/second"]
  }
  assert {
    condition     = output.names["tiklive/second"] == "tiklive/second" && length(output.names) == 10
    error_message = "A platform key's entry has the name that WEIR_PLATFORM_KEY_SECRETS has."
  }
}

run "a_deleted_entry_can_be_had_back" {
  command = plan
  assert {
    condition     = alltrue([for secret in aws_secretsmanager_secret.this : secret.recovery_window_in_days == 30])
    error_message = "Deleting must leave 30 days to think again."
  }
}
