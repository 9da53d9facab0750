/**
 * {@include ../README.md}
 *
 * @module @nearfar/credentials
 */

export type { Caps } from "@nearfar/caps";
export type { ProcessOption } from "@nearfar/core";
export * from "./change.ts";
export * from "./credentials-of.ts";
export * from "./drop-to.ts";
export * from "./groups.ts";
export * from "./ids.ts";
export * from "./initgroups.ts";
export * from "./jobs.ts";
export * from "./pids.ts";
export * from "./setgid.ts";
export * from "./setuid.ts";
export * from "./users.ts";
