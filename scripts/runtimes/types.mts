// A program that type checkers have to take: it names types of each package.
import { capget } from "@nearfar/caps";
import { Cgroup, type CgroupLimits } from "@nearfar/cgroup";
import { type FileDescriptor, openat2, Task } from "@nearfar/core";
import { getresuid } from "@nearfar/credentials";
import { type Enforced, planLandlock } from "@nearfar/landlock";
import { mount } from "@nearfar/mount";
import { namespaceKinds } from "@nearfar/namespaces";
import { type SocketAddress, socket } from "@nearfar/net";
import { PidFd } from "@nearfar/pidfd";
import { type ExitStatus, run, type Spawned, spawn } from "@nearfar/process";
import { compileFilter, type SeccompRules } from "@nearfar/seccomp";

export async function use(): Promise<ExitStatus> {
	const task: Task = await Task.clone({ namespaces: ["user", "mnt"] });
	task.run(() => mount("scratch", "/mnt", "tmpfs", { flags: ["nosuid"] }));
	// @ts-expect-error No flag has this name: the types are known, and not `any`.
	task.run(() => mount("scratch", "/mnt", "tmpfs", { flags: ["nosuidd"] }));
	const fd: FileDescriptor = openat2("/dev/null");
	const child: Spawned = await spawn("true", [], { stdio: [fd, "pipe", "inherit"] });
	const address: SocketAddress = { path: `\0${socket("unix", "stream").fd}` };
	const pidfd: PidFd = PidFd.open(child);
	const ids: number = getresuid().saved + namespaceKinds.user.flag;
	const rules: SeccompRules = { default: "allow", rules: [{ calls: ["keyctl"], action: { errno: "EPERM" } }] };
	// @ts-expect-error No system call has this name.
	rules.rules = [{ calls: ["keyctrl"], action: "kill" }];
	const enforced: Enforced = planLandlock({ scope: ["signal"] }, { drop: "any" });
	// @ts-expect-error No right has this name.
	planLandlock({ paths: [{ at: "/", allow: ["reed"] }] });
	const limits: CgroupLimits = { memory: { max: 64 << 20 }, pids: 20 };
	// @ts-expect-error Limits are numbers.
	limits.pids = "20";
	const text: string = (await run("true")).stdout;
	console.log(
		ids,
		text,
		enforced.level,
		Cgroup.find().create("work", { limits }).path,
		compileFilter(rules).length,
		capget().effective.has("chown"),
		pidfd.fd,
		address.path,
	);
	return child.closed;
}
