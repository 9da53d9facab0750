/**
 * {@include ../README.md}
 *
 * @module @nearfar/pidfd
 */

export type { PidFdCoredump, PidFdInfo } from "./info.ts";
export type { PidFdNamespaceKind } from "./namespace.ts";
export type { NodeChild } from "./node-child.ts";
export * from "./pidfd.ts";
