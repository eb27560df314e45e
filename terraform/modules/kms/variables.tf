variable "alias" {
  description = "Name of the alias, without alias/. Services get alias/<this> as WEIR_KMS_KEY_ID."
  type        = string
  default     = "weir"
}

variable "vault_role_arns" {
  description = "Roles that key-vault runs as."
  type        = list(string)
}

variable "fetcher_role_arns" {
  description = "Roles that upstream-fetcher runs as."
  type        = list(string)
}

variable "tenant_key_arns" {
  description = "KMS keys of tenants' own, which `weir keys kms-key` may name."
  type        = list(string)
  default     = []
}

variable "transfer_key_arns" {
  description = "KMS keys of other installations, which `weir tenants export --keys-for` may name."
  type        = list(string)
  default     = []
}

variable "transferring_role_arns" {
  description = "Roles of other installations' key-vault, whose tenants' data keys may be wrapped for this one."
  type        = list(string)
  default     = []
}

variable "deletion_window_in_days" {
  description = "Days between the order to delete the key and its end. With the key go all sealed upstream keys, for good."
  type        = number
  default     = 30
  validation {
    condition     = var.deletion_window_in_days >= 7 && var.deletion_window_in_days <= 30
    error_message = "KMS takes 7 to 30 days."
  }
}

variable "tags" {
  type    = map(string)
  default = {}
}
