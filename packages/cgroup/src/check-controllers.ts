import { array, text } from "@nearfar/core/internal";
import type { Controller } from "./state.ts";

/** Checks names of controllers. */
export function checkControllers(controllers: readonly Controller[], name: string): readonly string[] {
	return array(controllers, name).map((controller, index) => text(controller, `${name}[${index}]`));
}
