import { Buffer } from "node:buffer";
import {
	BatchError,
	type FileDescriptor,
	type LocationLike,
	type NamespaceKind,
	openat2,
	SyscallError,
} from "@nearfar/core";
import {
	atFlags,
	changeClass,
	currentBatch,
	type DescriptorClass,
	explained,
	hintForNoNamespace,
	namespaceFlags,
	taskOf,
	toAt,
	toChoice,
	toPath,
	withFile,
} from "@nearfar/core/internal";
import { askKind, expectKind } from "./remembered-kind.ts";

const EINVAL = 22;

/**
 * Opens the file of a namespace. A batch cannot ask the file for its kind: the kind then has to be said.
 *
 * @param at - The place of the file.
 * @param kind - The kind that the namespace has to have.
 * @param made - The class of the new object.
 */
export function openFile<T extends FileDescriptor>(
	at: LocationLike,
	kind: NamespaceKind | undefined,
	made: DescriptorClass<T>,
): T {
	if (kind !== undefined) toChoice(namespaceFlags, kind, "kind");
	const batch = currentBatch();
	if (batch && kind === undefined) {
		throw new BatchError("cannot ask a file for its kind of namespace in a batch: say the kind as the second argument");
	}
	const place = ofOpenFile(at) ?? at;
	const namespace = changeClass(openat2(place, { flags: ["nonblock", "noctty"] }), made);
	if (batch) {
		if (kind !== undefined) expectKind(namespace, kind);
		return namespace;
	}
	try {
		const path = Buffer.from(toAt(place).path as string).toString();
		withFile(path, () => checkKind(namespace, kind, path));
	} catch (error) {
		namespace.close();
		throw error;
	}
	return namespace;
}

/** Returns a path for a location that is an open file itself, because openat2(2) takes no empty path. */
function ofOpenFile(at: LocationLike): string | Buffer | undefined {
	const { path, flags } = toAt(at, "at");
	if (path.length > 0 || !(flags & atFlags.emptyPath)) return undefined;
	const open = toPath(at, "at");
	return typeof open === "string" ? open : Buffer.from(open);
}

/** Asks an open file for its kind of namespace, and compares. */
function checkKind(namespace: FileDescriptor, kind: NamespaceKind | undefined, path: string): void {
	const found = explained(
		() => askKind(namespace),
		({ code }) => (code === "ENOTTY" ? hintForNoNamespace(namespace) : undefined),
	);
	if (kind === undefined || found === kind) return;
	const words = `the namespace is of the kind "${found}" and not "${kind}"`;
	throw new SyscallError({ code: "EINVAL", errno: EINVAL, syscall: "ioctl", words }, { path, ...taskOf() });
}
