/**
 * {@include ../README.md}
 *
 * @module @nearfar/landlock
 */

export type { LandlockFsRight, LandlockNetRight, LandlockScope } from "@nearfar/core/internal";
export { landlockAbi, landlockErrata } from "./abi.ts";
export { LandlockUnavailableError } from "./errors.ts";
export { landlock, planLandlock } from "./landlock.ts";
export type { Names } from "./names.ts";
export type { LandlockPreset } from "./presets.ts";
export { type LandlockRestrictFlag, landlockRestrictSelf, type RestrictOptions } from "./restrict-self.ts";
export type { Enforced, LandlockLevel, LandlockOptions, LandlockPath, LandlockPort, LandlockRules } from "./rules.ts";
export {
	type LandlockHandled,
	type LandlockPathRule,
	type LandlockPortRule,
	LandlockRuleset,
	landlockAddRule,
	landlockCreateRuleset,
} from "./ruleset.ts";
export type { LandlockThreads } from "./threads.ts";
