variable "prefix" {
  description = "Of every name, before the first /."
  type        = string
  default     = "weir"
}

variable "platform_keys" {
  description = "Labels of the platform's own upstream keys."
  type        = set(string)
  default     = []
}

variable "recovery_window_in_days" {
  description = "Days in which a deleted entry can be had back; 0 deletes at once."
  type        = number
  default     = 30
}

variable "kms_key_id" {
  description = "Key that encrypts the entries; the account's aws/secretsmanager when null. Not the key of modules/kms: that one serves the vault alone."
  type        = string
  default     = null
}

variable "tags" {
  type    = map(string)
  default = {}
}
