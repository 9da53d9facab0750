import type { CheckedEnvironment } from "./check.ts";

/** The variables that a program gets without being named. */
const usual = ["PATH", "TERM", "LANG", "TZ"];

/** Returns the environment of a sandbox. */
export function environmentOf({ inherit, set }: CheckedEnvironment, home: string, tmp: string): Record<string, string> {
	const taken = (name: string) =>
		inherit === "all" || inherit.includes(name) || usual.includes(name) || name.startsWith("LC_");
	const env = Object.entries(process.env).filter(([name]) => taken(name));
	return withVariables({ ...Object.fromEntries(env), HOME: home, TMPDIR: tmp }, set);
}

/** Returns an environment with the variables of the network, which give way to those that the caller sets or removes. */
export function withNetwork(
	env: Readonly<Record<string, string>>,
	network: Readonly<Record<string, string>>,
	{ set }: CheckedEnvironment,
): Record<string, string> {
	return withVariables({ ...env, ...network }, set);
}

/** Returns an environment with other variables; `undefined` removes one. */
export function withVariables(
	env: Readonly<Record<string, string | undefined>>,
	set: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
	const all = Object.entries({ ...env, ...set });
	return Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== undefined));
}
