/**
 * {@include ../README.md}
 *
 * @module @nearfar/caps
 */

export type { Capability } from "@nearfar/core/internal";
export { CapabilitySet, type Caps } from "./capability-set.ts";
export * from "./capget.ts";
export * from "./drop-capabilities.ts";
