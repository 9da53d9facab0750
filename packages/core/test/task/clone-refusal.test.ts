import { mkdirSync, readFileSync, rmdirSync } from "node:fs";
import { expect, test } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";
import { cgroupRoot, isRoot, type Need, needs, pidsRoot } from "../../../../test/needs.ts";
import { becomeOrdinary } from "../../../../test/ordinary.ts";
import { reason } from "../../../../test/reason.ts";
import { Task } from "../../src/index.ts";

// The kernel does not apply a limit of processes to user 0. Another user may have no access to Node and to this tree.
const holding: Need[] = isRoot ? ["root", "the program setpriv"] : [];
const ids = ["--reuid=1000", "--regid=1000", "--clear-groups"];
const held = isRoot ? ["setpriv", ...ids, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"] : [];
const user = isRoot ? 1000 : process.getuid?.();

needs("a /proc of this pid namespace", ...holding).test.each([
	["of this process", "user", "clone"],
	["of the task that clones", "task", "clone3"],
])("EAGAIN of a clone names RLIMIT_NPROC %s", async (_, what, syscall) => {
	const { report, stderr } = await runFixture("core/full-limit", { wrapper: held, args: [what] });
	expect(stderr).toBe("");
	expect(report).toMatchObject({ code: "EAGAIN", syscall });
	expect(report.message).toContain(`RLIMIT_NPROC (1) of user ${user}`);
	expect(report.message).not.toContain("perhaps");
});

const inGroups: [what: string, ...Need[]][] = [
	["group"],
	...(pidsRoot === cgroupRoot ? [["cgroup"] as [string]] : []), // a task cannot begin in a cgroup of v1
];
needs("/proc", "a cgroup whose number of processes can be limited").test.each(inGroups)(
	"EAGAIN of a clone names pids.max of the cgroup: %s",
	async (what) => {
		const group = `${pidsRoot}/nearfar-limit-${process.pid}`;
		mkdirSync(group);
		try {
			const enter = 'echo $$ > "$0/cgroup.procs" && exec "$@"';
			const wrapper = what === "group" ? ["sh", "-c", enter, group] : [];
			const { report, stderr } = await runFixture("core/full-limit", { wrapper, args: [what, group] });
			expect(stderr).toBe("");
			expect(report).toMatchObject({ code: "EAGAIN", syscall: "clone3" });
			expect(report.message).toContain(`pids.max of ${group} (`);
		} finally {
			await expect.poll(() => readFileSync(`${group}/cgroup.procs`, "utf8")).toBe("");
			rmdirSync(group);
		}
	},
);

test("a clone into namespaces without user says which capability is missing", async () => {
	await using task = await Task.clone();
	becomeOrdinary(task);
	const error = await reason(() => task.clone({ namespaces: ["uts"] }));
	expect(error).toMatchObject({ code: "EPERM", syscall: "clone3" });
	expect((error as Error).message).toContain("CAP_SYS_ADMIN");
});
