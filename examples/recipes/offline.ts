// Runs a program that cannot use the network, without a namespace and without a privilege.
import { type RunResult, run } from "@nearfar/process";
import type { SeccompRules } from "@nearfar/seccomp";

const AF_UNIX = 1;

const offline: SeccompRules = {
	default: "allow",
	rules: [
		{
			calls: ["socket", "socketpair"],
			args: [{ index: 0, op: "!=", value: AF_UNIX, mask: 0xffff_ffff }],
			action: { errno: "EACCES" },
		},
		{ calls: ["io_uring_setup", "io_uring_enter", "io_uring_register"], action: { errno: "ENOSYS" } },
	],
};

/** Runs a program in a folder. Every socket but those of Unix is refused, to the program and to all that it starts. */
export function runOffline(file: string, args: string[], cwd: string): Promise<RunResult> {
	return run(file, args, { cwd, noNewPrivs: true, seccomp: offline, killTree: true });
}
