output "key_arn" {
  description = "For `weir keys kms-key`, and for tenant_key_arns of the installation's modules/kms."
  value       = aws_kms_key.this.arn
}
