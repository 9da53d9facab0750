/**
 * {@include ../README.md}
 *
 * @module @nearfar/caps
 */

export type { Capability } from "@nearfar/core/internal";
export { CapabilitySet, type Caps } from "./capability-set.ts";
export { formatCapabilities, parseCapabilities } from "./capability-text.ts";
export * from "./capget.ts";
export * from "./drop-capabilities.ts";
