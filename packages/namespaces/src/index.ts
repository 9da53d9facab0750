/**
 * {@include ../README.md}
 *
 * @module @nearfar/namespaces
 */

export { IdMap, type IdMapping, type NamespaceKind } from "@nearfar/core";
export { sethostname } from "./hostname.ts";
export { type NamespaceKindData, namespaceKinds } from "./kinds.ts";
export { setns } from "./setns.ts";
export { unshare } from "./unshare.ts";
