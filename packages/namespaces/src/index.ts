/**
 * {@include ../README.md}
 *
 * @module @nearfar/namespaces
 */

export { IdAllocation, IdMap, type IdMapping, type IdRange, type NamespaceKind, subordinateIds } from "@nearfar/core";
export { sethostname } from "./hostname.ts";
export { type NamespaceKindData, namespaceKinds } from "./kinds.ts";
export { setns } from "./setns.ts";
export { unshare } from "./unshare.ts";
