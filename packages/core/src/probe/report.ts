import type { Obstacle } from "../obstacles/obstacle.ts";
import { type Answer, features, type Probe } from "./features.ts";
import { kinds } from "./namespaces.ts";

const WIDTH = 24; // columns of the longest name, and a gap

/** Returns the report: a line for each answer, then each obstacle with its fixes. */
export function reportOf(probe: Omit<Probe, "toString">): string {
	const { kernel, arch, uid, gid, capabilities, namespaces, host, obstacles } = probe;
	const { seccomp, seccompFilters, noNewPrivs, lsm, label, chroot, container, cgroup } = host;
	const filters = seccompFilters === undefined ? "" : ` (${seccompFilters})`;
	const about: [string, string][] = [
		["kernel", `${kernel} ${arch}`],
		["user", `uid ${uid}, gid ${gid}, capabilities ${capabilities.toString(16).padStart(16, "0")}`],
		["mode of seccomp", `${seccomp}${seccomp === "filter" ? filters : ""}, no_new_privs ${noNewPrivs ? "on" : "off"}`],
		["security modules", `${lsm?.join(" ") ?? "unknown"}${label === undefined ? "" : `, label ${label}`}`],
		["chroot", chroot === undefined ? "unknown" : chroot ? "yes" : "no"],
		["signs of a container", container.join(", ") || "none"],
		[
			"own cgroup",
			`${cgroup.version ? `v${cgroup.version}` : "none"} ${cgroup.path ?? ""} ${cgroup.controllers.join(" ")}`,
		],
	];
	return [
		...about.map(([name, text]) => line(name, text.trim())),
		"",
		...kinds.flatMap((kind) => [
			line(`namespace ${kind}`, inWords(namespaces[kind].direct)),
			line(kind === "user" ? "  with a map of ids" : `  with a new "user"`, inWords(namespaces[kind].withUser)),
		]),
		...features.map((feature) => line(feature, inWords(probe.features[feature]))),
		"",
		...(obstacles.length === 0 ? ["Nothing stands in the way."] : obstacles.flatMap(inLines)),
	].join("\n");
}

function line(name: string, text: string): string {
	return `${name.padEnd(WIDTH)}${text}`;
}

function inWords({ works, code, syscall, value, because }: Answer): string {
	const word = works === undefined ? "not tried" : works ? "works" : "refused";
	const error = [code, syscall].filter(Boolean).join(" ");
	const why = because?.length ? ` <- ${because.join(", ")}` : "";
	return `${word}${error && `: ${error}`}${value === undefined || value === "" ? "" : ` (${value})`}${why}`;
}

function inLines({ name, sentence, fix, certain }: Obstacle, index: number): string[] {
	const fixes = fix.map((each, number) => `   ${number === 0 ? "fix:" : "or: "} ${each}`);
	return [`${index + 1}. ${name}${certain ? "" : " (inferred)"}: ${sentence}`, ...fixes];
}
