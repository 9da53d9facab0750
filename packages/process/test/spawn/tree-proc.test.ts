import { expect } from "vitest";
import { runFixture } from "../../../../test/fixture.ts";
import { mark } from "../../../../test/marked.ts";
import { has, isRoot, needs } from "../../../../test/needs.ts";

const args = Object.values(mark());
const { test } = needs("the program unshare");

needs("/proc").test("behind a /proc of an outer pid namespace killTree leaves no process", async () => {
	const wrapper = ["unshare", isRoot ? "-pf" : "-Upfr"];
	const { report, stderr } = await runFixture("process/kill-tree", { wrapper, args });
	expect([report, stderr]).toEqual([{ end: { code: 7, signal: null, dumped: false }, left: 0 }, ""]);
});

test("without a /proc killTree is refused, with the path of the list that is missing", async () => {
	const hide = 'mount -t tmpfs none /proc && exec "$@"';
	const wrapper = ["unshare", isRoot ? "-m" : "-Umr", "sh", "-c", hide, "sh"];
	const { report } = await runFixture("process/kill-tree", { wrapper, args });
	const syscall = has("Linux 6.13") ? "openat" : "open"; // before, the parent of the program is looked for in /proc
	expect(report).toEqual({ code: "ENOENT", syscall, path: "/proc" });
});
