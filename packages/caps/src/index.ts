/**
 * {@include ../README.md}
 *
 * @module @nearfar/caps
 */

export type { ProcessOption } from "@nearfar/core";
export { ThreadsError } from "@nearfar/core";
export type { Capability } from "@nearfar/core/internal";
export { ambient } from "./ambient.ts";
export { bounding } from "./bounding.ts";
export { CapabilitySet, type Caps } from "./capability-set.ts";
export { formatCapabilities, parseCapabilities } from "./capability-text.ts";
export * from "./capget.ts";
export { capset } from "./capset.ts";
export * from "./drop-capabilities.ts";
export { fileCapabilities, type NewFileCapabilities } from "./file-capabilities.ts";
export type { FileCapabilities } from "./file-capability-value.ts";
export { type SecureBit, type SecureBits, securebits } from "./securebits.ts";
