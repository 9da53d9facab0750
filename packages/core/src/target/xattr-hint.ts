const noPrivilege =
	'the caller has no CAP_SETFCAP over the user namespace that maps the owner and the group of the file, which the owner alone does not have; a task of Task.clone({ namespaces: ["user"], idMap: "root" }) has it for the files of its user; or the file is immutable or can only be appended to';

const noLocation =
	"the kernel is older than Linux 6.13, or a container's seccomp filter does not know the call: a plain path and an open file need no such kernel";

const unknownVersion = "the bytes of security.capability are of no version that the kernel knows";

/**
 * Returns what stands in the way of a call on extended attributes. nearfar makes such calls for the capabilities of files alone.
 *
 * @param syscall - The name of the call, such as `"fsetxattr"`.
 * @param code - The name of the error.
 */
export function hintForXattr(syscall: string, code: string): string | undefined {
	const reads = syscall.includes("getxattr");
	switch (code) {
		case "EPERM":
			return reads ? undefined : noPrivilege;
		case "EINVAL":
			return reads ? unknownVersion : "the user namespace of the caller does not map the root id";
		case "EOVERFLOW":
			return "the capabilities are for another user namespace, whose user 0 has no id in this one: read them there, or in the initial user namespace";
		case "EOPNOTSUPP":
			return "the file system has no extended attributes";
		case "ENOSYS":
			return syscall.endsWith("at") ? noLocation : undefined;
		default:
			return undefined;
	}
}
