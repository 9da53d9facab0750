// The rows of the table of docs/platforms.md: what runs on which kernel, architecture, libc and Node.

/** The packages whose tests run on Linux 6.1, the oldest kernel of a Debian that tasks work on. */
const suites = ["caps", "credentials", "namespaces", "mount", "pidfd"];

/** Patterns of the test files that need controllers of cgroup v2, or a certain ABI of Landlock. Each is run by a process of its own. */
const limits = ["cgroup/test/*", "landlock/test/*", "sandbox/test/{limits,isolation}/*"];

/**
 * Each row has a `name`, a `kernel` and an `arch`, which choose its machine ("host" is this one, without a machine), the users
 * `uids`, and one of three: `suites` for vitest, `files` for compiled test files, or a smoke with the `platform` of the addon and
 * the `node` that runs it. CI runs all but the suites.
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
	...["6.1", "6.12", "newest"].map((kernel) => ({
		name: `${kernel} x64 gnu, limits`,
		kernel,
		arch: "x64",
		files: limits,
		uids: [0, 1000],
	})),
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
