output "key_id" {
  value = aws_kms_key.this.key_id
}

output "key_arn" {
  value = aws_kms_key.this.arn
}

output "alias" {
  description = "For WEIR_KMS_KEY_ID."
  value       = aws_kms_alias.this.name
}

output "vault_policy" {
  description = "JSON, for the role of key-vault: what it may do with keys of others; null where there are none."
  value       = length(var.tenant_key_arns) + length(var.transfer_key_arns) > 0 ? data.aws_iam_policy_document.vault_elsewhere.json : null
}

output "fetcher_policy" {
  description = "JSON, for the role of upstream-fetcher: what it may do with keys of others; null where there are none."
  value       = length(var.tenant_key_arns) > 0 ? data.aws_iam_policy_document.fetcher_elsewhere.json : null
}
