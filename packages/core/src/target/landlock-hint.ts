const ofAll: Readonly<Record<string, string>> = {
	ENOSYS:
		"the kernel is older than Linux 5.13 or was built without Landlock, or a container's seccomp filter does not know the call",
	EOPNOTSUPP:
		'Landlock was not enabled at boot: "landlock" has to be in the list of lsm= on the kernel\'s command line, or in CONFIG_LSM',
};

const ofCalls: Readonly<Record<string, Readonly<Record<string, string>>>> = {
	landlock_create_ruleset: {
		ENOMSG: "a ruleset has to handle at least one right or scope",
		EINVAL: "the kernel does not know a right: landlockAbi() of @nearfar/landlock says which version it has",
		E2BIG: "rights on ports need Linux 6.7 (ABI 4), and scopes Linux 6.12 (ABI 6)",
	},
	landlock_add_rule: {
		ENOMSG: "a rule has to allow at least one right",
		EINVAL:
			"the ruleset does not handle a right that the rule allows; or the rule allows a right for directories on another file",
		EBADFD:
			"pipes, sockets, memfds and namespaces have no path that a rule could be about; and the first descriptor has to be that of a ruleset",
	},
	landlock_restrict_self: {
		EPERM:
			"the caller has neither no_new_privs nor CAP_SYS_ADMIN over its user namespace: call setNoNewPrivs() of @nearfar/process before",
		E2BIG: "a process has at most 16 layers, those of its ancestors included",
		EINVAL: "the kernel does not know a flag: landlockAbi() of @nearfar/landlock says which version it has",
		EBADFD: "the descriptor is not that of a ruleset",
	},
};

/**
 * Returns what stands in the way of a call of Landlock.
 *
 * @param syscall - The name of the call, such as `"landlock_add_rule"`.
 * @param code - The name of the error.
 */
export function hintForLandlock(syscall: string, code: string): string | undefined {
	return ofCalls[syscall]?.[code] ?? ofAll[code];
}
