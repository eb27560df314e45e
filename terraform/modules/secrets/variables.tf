variable "prefix" {
  description = "Of every name, before the first /; but for those of platform_keys, which are whole."
  type        = string
  default     = "weir"
}

variable "platform_keys" {
  description = "Names of the entries for the platform's own upstream keys: WEIR_PLATFORM_KEY_SECRETS of key-vault, whose default this is."
  type        = set(string)
  default     = ["tiklive/platform-key"]
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
