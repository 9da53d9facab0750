import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { cgroupRoot, isRoot, needs } from "../../../test/needs.ts";
import { refusal } from "../../../test/refusal.ts";
import { Cgroup, CgroupError } from "../src/index.ts";
import { look, Made } from "./looking.ts";

const hybrid = needs("a host whose controllers are in cgroup v1");
const asRoot = needs("root", "cgroup v2 in which this user can make groups", "a controller in cgroup v2");
const delegated = needs("a cgroup with memory and pids in which this user can make groups");

/** A controller that this machine has in cgroup v2: a hybrid host has a rare one alone. Best is one that the root has enabled already. */
const [one = ""] = ["cgroup.subtree_control", "cgroup.controllers"].flatMap((file) =>
	cgroupRoot === undefined ? [] : readFileSync(`${cgroupRoot}/${file}`, "utf8").split(/\s/).filter(Boolean),
);
/** Lets a directory have the controller, and puts the shell into a directory below it. */
const into = (path: string) =>
	`echo +${one} > $root/cgroup.subtree_control; mkdir -p $root/${path}; echo $$ > $root/${path}/cgroup.procs`;

hybrid.test("CG-04: the controllers of cgroup v1 are missing, and the hint is the kernel's parameter", () => {
	const error = refusal(() => Cgroup.find()) as CgroupError;
	expect(error).toBeInstanceOf(CgroupError);
	expect(error).toMatchObject({ code: "ERR_NEARFAR_CGROUP", reason: "controller", missing: ["memory", "pids"] });
	expect(error.hint).toContain("cgroup_no_v1=all");
});

needs("root", "a host whose controllers are in cgroup v1").test(
	"CG-04: under systemd the parameter is systemd's",
	async () => {
		const [found] = await look("mount -t tmpfs none /run; mkdir -p /run/systemd/system", ["find memory"]);
		expect(found).toMatchObject({ reason: "controller", missing: ["memory"] });
		expect(found?.hint).toContain("systemd.unified_cgroup_hierarchy=1");
	},
);

needs("root", "a host whose controllers are in cgroup v1").test(
	"CG-04: cgroup v1 alone is refused with the parameter",
	async () => {
		const [current, found] = await look('umount "$root"', ["current", "find"]);
		expect(current).toMatchObject({ reason: "v1", hint: expect.stringContaining("cgroup_no_v1=all") });
		expect(found?.reason).toBe("v1");
	},
);

needs("root", "cgroup v2 in which this user can make groups").test(
	"without a mount of cgroups the reason is not-mounted",
	async () => {
		const [current] = await look("umount --lazy /sys/fs/cgroup", ["current"]);
		expect(current).toMatchObject({ reason: "not-mounted", hint: expect.stringContaining("mount cgroup2") });
	},
);

asRoot.test("CG-02: the root of a namespace with processes is occupied; nothing moves; evacuate helps", async () => {
	await using made = new Made();
	const name = made.name();
	const inNamespace = `unshare --cgroup --mount sh -c 'umount "$0" && mount -t cgroup2 none "$0"; exec "$@"' $root`;
	const steps = [`find ${one}`, "evacuate", `find ${one}`];
	const [found, evacuated, again] = await look(into(name), steps, inNamespace);
	expect(found).toMatchObject({
		reason: "occupied",
		hint: expect.stringMatching(/evacuate.*DelegateSubgroup=/),
		own: "/",
	});
	expect(found?.pids?.length).toBeGreaterThan(0);
	expect(evacuated).toMatchObject({ path: "/", own: "/main" });
	expect(again).toMatchObject({ path: "/", origin: "delegated", own: "/main" });
});

asRoot.test("CG-03: what systemd does not delegate to users is missing, and the hint is the drop-in", async () => {
	await using made = new Made();
	const path = `${made.name()}/user@1000.service/app.scope`;
	const script = `${into(path)}; chown -R 1000:1000 $root/${path}`;
	const [found] = await look(script, ["find misc"], "$user");
	expect(found).toMatchObject({ reason: "controller", missing: ["misc"] });
	expect(found?.hint).toMatch(/systemctl edit user@\.service.*Delegate=cpu cpuset io memory pids/);
});

asRoot.test("a file system that is mounted read-only is readonly, as in containers", async () => {
	const [found] = await look('mount -o remount,bind,ro "$root"', [`find ${one}`]);
	expect(found).toMatchObject({ reason: "readonly", hint: expect.stringContaining("writable-cgroups=true") });
});

asRoot.test("root finds the root of all cgroups, unless systemd manages it", async () => {
	const [found] = await look("", [`find ${one}`]);
	expect(found).toMatchObject({ path: "/", origin: "root" });
	const [managed] = await look("mount -t tmpfs none /run; mkdir -p /run/systemd/system", [`find ${one}`]);
	expect(managed).toMatchObject({ reason: "not-delegated", hint: expect.stringContaining("Delegate=yes") });
});

asRoot.test("under systemd root takes a directory with the mark of a delegation", async () => {
	await using made = new Made();
	const name = made.name();
	const systemd = "mount -t tmpfs none /run; mkdir -p /run/systemd/system";
	const mark = (attribute: string) =>
		`python3 -c 'import os, sys; os.setxattr(sys.argv[1], "${attribute}", b"1")' $root/${name}`;
	const [plain] = await look(`${systemd}; ${into(name)}`, [`find ${one}`]);
	expect(plain?.reason).toBe("not-delegated");
	const enable = `${into(`${name}/service`)}; echo +${one} > $root/${name}/cgroup.subtree_control`;
	for (const attribute of ["user.delegate", "trusted.delegate"]) {
		const [found] = await look(`${systemd}; ${enable}; ${mark(attribute)}`, [`find ${one}`]);
		expect(found).toMatchObject({ path: `/${name}`, origin: "delegated" });
	}
});

asRoot.test("an ordinary user finds the directory above, which is the user's own and has no processes", async () => {
	await using made = new Made();
	for (const [end, expected] of [
		["", "delegated"],
		[".slice", undefined],
	] as const) {
		const name = made.name(end);
		const script = `echo +${one} > $root/cgroup.subtree_control; mkdir -p $root/${name}/session; echo +${one} > $root/${name}/cgroup.subtree_control; chown -R 1000:1000 $root/${name}; echo $$ > $root/${name}/session/cgroup.procs`;
		const [found] = await look(script, [`find ${one}`], "$user");
		if (expected) expect(found).toMatchObject({ path: `/${name}`, origin: expected });
		else expect(found).toMatchObject({ reason: "occupied", own: `/${name}/session` });
	}
});

asRoot.test("an ordinary user is refused a directory of root", async () => {
	const [found] = await look("", [`find ${one}`], "$user");
	expect(found).toMatchObject({ reason: "not-delegated", hint: expect.stringContaining("viaSystemd") });
});

delegated.test("find moves nothing, and what it finds takes limited groups", async () => {
	await using parent = Cgroup.find();
	expect(parent.origin).toBe(isRoot ? "root" : "delegated");
	await using own = Cgroup.current();
	expect(own.pids).toContain(process.pid);
	await using group = parent.create(`nearfar-find-${process.pid}`, { limits: { pids: 10 } });
	expect(group.origin).toBe(parent.origin);
});

test("wrong options are refused before anything is read", () => {
	expect(refusal(() => Cgroup.find({ controllers: "memory" as never })).code).toBe("ERR_INVALID_ARG_TYPE");
	expect(refusal(() => Cgroup.find({ controllers: [1] as never })).code).toBe("ERR_INVALID_ARG_TYPE");
	expect(refusal(() => Cgroup.find({ controler: [] } as never)).code).toBe("ERR_INVALID_ARG_VALUE");
});
