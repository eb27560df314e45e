output "vault_policy" {
  description = "JSON, for the role of key-vault."
  value       = data.aws_iam_policy_document.vault.json
}

output "fetcher_policy" {
  description = "JSON, for the role of upstream-fetcher."
  value       = data.aws_iam_policy_document.fetcher.json
}
