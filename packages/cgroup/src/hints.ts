// What to do about a refusal. That depends on the place: a host with systemd or without, WSL, a container, a user's session.
import { existsSync, readFileSync } from "node:fs";
import { release } from "node:os";

/** Returns whether systemd is process 1 of this host, or of this container. */
export function isUnderSystemd(): boolean {
	return existsSync("/run/systemd/system");
}

/** Returns how to move the controllers from cgroup v1 to cgroup v2. */
export function switchToV2(): string {
	if (/microsoft/i.test(release())) {
		return "add `kernelCommandLine = cgroup_no_v1=all` below [wsl2] in .wslconfig and `systemd=true` below [boot] in /etc/wsl.conf, and run `wsl --shutdown`";
	}
	const parameter = isUnderSystemd() ? "systemd.unified_cgroup_hierarchy=1" : "cgroup_no_v1=all";
	return `boot with \`${parameter}\` on the kernel's command line: cgroup v1 has the controllers of this host`;
}

/** Returns how to get controllers that a directory does not have. */
export function hintForMissing(missing: readonly string[], path: string): string {
	if (missing.some((name) => isHeldByV1(name))) return switchToV2();
	const user = /\/user@\d+\.service(\/|$)/.test(path);
	if (user) {
		return `let systemd delegate them to users: \`systemctl edit user@.service\` with the lines [Service] and Delegate=cpu cpuset io memory pids, then log in anew`;
	}
	return `enable them in the directory above, by \`+${missing.join(" +")}\` in its cgroup.subtree_control; a kernel without them shows no such name in /proc/cgroups`;
}

/** Returns whether a hierarchy of cgroup v1 has a controller. */
function isHeldByV1(controller: string): boolean {
	const lines = readFileSync("/proc/self/cgroup", "utf8").matchAll(/^[1-9]\d*:([^:]*):/gm);
	const known = controller === "io" ? "blkio" : controller;
	return [...lines].some(([, names = ""]) => names.split(",").includes(known));
}

export const readOnlyHint =
	"start the container with `--security-opt writable-cgroups=true`, or with a systemd of its own in it";

export const occupiedHint =
	"call `evacuate` of `Cgroup.current()`, which moves every process of the directory into a new child; in a service of systemd, DelegateSubgroup= starts it in one";

export const notDelegatedHint =
	"use `Cgroup.viaSystemd()`; or run the program as a service with Delegate=yes, or let root own a directory to this user and start the program below it";
