output "names" {
  description = "Entry to name in Secrets Manager."
  value       = { for entry, secret in aws_secretsmanager_secret.this : entry => secret.name }
}

output "read_policy_arns" {
  description = "Entry to the policy that lets a role read it."
  value       = { for entry, policy in aws_iam_policy.read : entry => policy.arn }
}
