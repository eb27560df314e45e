variable "tenant_id" {
  description = "ten_…, as the installation knows the tenant."
  type        = string
  validation {
    condition     = can(regex("^ten_[a-z0-9]{26}$", var.tenant_id))
    error_message = "A tenant's id is ten_ and 26 characters."
  }
}

variable "vault_role_arns" {
  description = "Roles that the installation's key-vault runs as."
  type        = list(string)
}

variable "fetcher_role_arns" {
  description = "Roles that the installation's upstream-fetcher runs as."
  type        = list(string)
}

variable "deletion_window_in_days" {
  description = "Days between the order to delete the key and its end."
  type        = number
  default     = 30
}

variable "tags" {
  type    = map(string)
  default = {}
}
