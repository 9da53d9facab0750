import { array, wrongValue } from "@nearfar/core/internal";
import { SandboxError } from "./errors.ts";
import type { SandboxOptions, Without } from "./options.ts";

/** The options `isolation` and `without`, checked. */
export interface Isolation {
	readonly isolation: "full" | "landlock";
	readonly without: ReadonlySet<Without>;
}

const all: readonly Without[] = ["protect", "hide", "files", "scratch"];

/** Checks `isolation` and `without`, and that no other option asks for what Landlock cannot express. */
export function checkIsolation(given: SandboxOptions): Isolation {
	const { isolation = "full", without } = given;
	if (isolation !== "full" && isolation !== "landlock")
		throw wrongValue("options.isolation", '"full" or "landlock"', isolation);
	if (isolation === "full") {
		if (without !== undefined)
			throw wrongValue("options.without", 'absent unless options.isolation is "landlock"', without);
		return { isolation, without: new Set() };
	}
	const named = array(without === undefined ? [] : without, "options.without").map((name, index) => {
		if (!all.includes(name)) throw wrongValue(`options.without[${index}]`, `one of ${all.join(", ")}`, name);
		return name;
	});
	refuseOptions(given);
	return { isolation, without: new Set(named) };
}

/** Throws for an option that `without` cannot name: to leave the option out says the same. */
function refuseOptions({ user, name, network, tmp, syscalls, rootFallback }: SandboxOptions): void {
	const refuse = (option: string, why: string) => {
		throw refusedByLandlock(`express ${option}: ${why}. Leave the option out; options.without does not take it`);
	};
	if (user !== undefined && user !== "caller")
		refuse("options.user", "without a user namespace the programs have the ids of the caller");
	if (name !== undefined) refuse("options.name", "without namespaces the host name is that of the host");
	if (syscalls !== undefined && syscalls !== "default")
		refuse(
			"options.syscalls",
			"the network and the processes outside are kept from the programs by the default filter",
		);
	if (typeof tmp === "object" && tmp?.size !== undefined)
		refuse("options.tmp.size", "TMPDIR is a folder of the host, whose size nothing limits");
	for (const option of ["publish", "localhost"] as const) {
		const ports = typeof network === "object" ? (network?.[option] ?? []) : [];
		if (ports.length > 0) refuse(`options.network.${option}`, "the loopback device is that of the host");
	}
	if (process.geteuid?.() === 0 && rootFallback === undefined) {
		throw refusedByLandlock(
			'run programs as anybody but the caller, which is root: without a user namespace they are user 0, without capabilities. Add rootFallback: "uid0" where that is acceptable, or start Node as an ordinary user',
		);
	}
}

/** Returns the error for what a sandbox of Landlock cannot have. */
export function refusedByLandlock(what: string): SandboxError {
	return new SandboxError("UNAVAILABLE", `isolation: "landlock" cannot ${what}`, { step: "isolation" });
}
