import { Buffer } from "node:buffer";
import { native, wrongType, wrongValue } from "@nearfar/core/internal";
import { callByName } from "./call-by-name.ts";

/**
 * Sets the host name of the UTS namespace, for every process in it.
 *
 * Near, that is the name of the machine, or of the container that Node runs in.
 *
 * @param name - At most 64 bytes, in any encoding, without a NUL byte.
 * @throws `EPERM` The task has no CAP_SYS_ADMIN over the UTS namespace.
 * @throws `EINVAL` The name is longer than 64 bytes.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` The name is neither a string nor a Buffer, or holds a NUL byte.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "uts"], idMap: "root" });
 * task.run(() => sethostname("inside"));
 * ```
 * @see sethostname(2); CAP_SYS_ADMIN over the UTS namespace
 */
export function sethostname(name: string | Buffer): void {
	native().sethostname(checkName(name));
}

/** Checks a name of a UTS namespace before any call. */
function checkName(name: string | Buffer): string | Buffer {
	if (typeof name !== "string" && !((name as unknown) instanceof Uint8Array)) {
		throw wrongType("name", "a string or a Buffer", name);
	}
	if (typeof name === "string" ? name.includes("\0") : name.includes(0)) {
		throw wrongValue("name", "without NUL bytes: the kernel's readers would stop there", name);
	}
	return name;
}

/**
 * Sets the NIS domain name of the UTS namespace, for every process in it.
 *
 * The domain name of DNS is another one: it stands in the resolver's files. Near, this is the name of the machine, or of the
 * container that Node runs in.
 *
 * @param name - At most 64 bytes, in any encoding, without a NUL byte. Empty: no domain.
 * @throws `EPERM` The task has no CAP_SYS_ADMIN over the UTS namespace.
 * @throws `EINVAL` The name is longer than 64 bytes.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` The name is neither a string nor a Buffer, or holds a NUL byte.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user", "uts"], idMap: "root" });
 * task.run(() => setdomainname("inside.example"));
 * ```
 * @see setdomainname(2); CAP_SYS_ADMIN over the UTS namespace
 */
export function setdomainname(name: string | Buffer): void {
	const bytes = Buffer.from(checkName(name) as string);
	callByName("setdomainname", [bytes, bytes.length]);
}
