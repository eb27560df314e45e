variable "prefix" {
  description = "WEIR_SHRED_KEY_PREFIX of key-vault and upstream-fetcher."
  type        = string
  default     = "weir/shred/"
}
