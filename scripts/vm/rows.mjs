// The rows of the table of docs/platforms.md: what runs on which kernel, architecture, libc and Node.

/** The packages whose tests run on Linux 6.1, the oldest kernel of a Debian that tasks work on. */
const suites = ["caps", "credentials", "namespaces", "mount", "pidfd"];

/**
 * Patterns of the test files that need controllers of cgroup v2, or a certain ABI of Landlock. Each is run by a process of its own. What
 * no kernel decides is left to the tests of the host: real programs, and strange arguments of Landlock, which take long.
 */
const limits = [
	"cgroup/test/*",
	"landlock/test/!(luck)",
	"sandbox/test/limits/*",
	"sandbox/test/isolation/!(programs)",
];

/** The users as whom CI runs the tests of limits on each kernel: both of them everywhere would take half an hour. */
const usersOfLimits = { 6.1: [0], 6.12: [1000], newest: [0] };

/**
 * Each row has a `name`, a `kernel` and an `arch`, which choose its machine ("host" is this one, without a machine), the users
 * `uids`, and one of three: `suites` for vitest, `files` for compiled test files, or a smoke with the `platform` of the addon and
 * the `node` that runs it. CI runs all but the suites, and but those with `byHand`.
 */
export const rows = [
	{
		name: "5.10 x64 gnu, refused",
		kernel: "5.10",
		arch: "x64",
		platform: "x64-gnu",
		node: "20",
		refused: true,
		uids: [0],
	},
	...["6.1", "6.12", "newest"].map((kernel) => smoke(kernel, "x64", "gnu", "20")),
	{ name: "6.1 x64 gnu, suites", kernel: "6.1", arch: "x64", suites, uids: [0] },
	...Object.entries(usersOfLimits).flatMap(([kernel, users]) =>
		[0, 1000].map((uid) => ({
			name: `${kernel} x64 gnu, limits`,
			kernel,
			arch: "x64",
			files: limits,
			uids: [uid],
			byHand: !users.includes(uid),
		})),
	),
	...["6.1", "6.12"].flatMap((kernel) => [
		smoke(kernel, "arm64", "gnu", "20"),
		smoke(kernel, "arm64", "gnu", "26"),
		smoke(kernel, "arm64", "musl", "musl"),
	]),
	smoke("host", "x64", "musl", "musl"),
];

function smoke(kernel, arch, libc, node) {
	const version = node === "musl" ? "" : `, Node ${node}`;
	return {
		name: `${kernel} ${arch} ${libc}${version}`,
		kernel,
		arch,
		platform: `${arch}-${libc}`,
		node,
		uids: [0, 1000],
	};
}
