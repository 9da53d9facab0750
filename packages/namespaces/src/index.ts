/**
 * {@include ../README.md}
 *
 * @module @nearfar/namespaces
 */

export {
	IdAllocation,
	IdMap,
	IdMapHelperError,
	type IdMapping,
	type IdMaps,
	type IdRange,
	type NamespaceKind,
	subordinateIds,
	writeIdMap,
} from "@nearfar/core";
export { sethostname } from "./hostname.ts";
export { type NamespaceKindData, namespaceKinds } from "./kinds.ts";
export { setns } from "./setns.ts";
export { unshare } from "./unshare.ts";
