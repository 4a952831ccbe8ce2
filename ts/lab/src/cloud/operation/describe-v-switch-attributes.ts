import { z } from "zod";
import { apiError } from "../api-error.ts";
import { text } from "../parameters.ts";
import { renderVSwitch } from "./describe-v-switches.ts";
import { operation } from "./operation.ts";

const schema = z.object({ VSwitchId: text });

/** One vSwitch, flat. */
export const describeVSwitchAttributes = operation({
  action: "DescribeVSwitchAttributes",
  product: "Vpc",
  writes: false,
  delay: "describe",
  regionRequired: false,
  schema,
  resources: (wire) => [`vswitch/${wire.VSwitchId ?? "*"}`],
  run({ VSwitchId: id }, { view }) {
    const vSwitch = view.vSwitches.get(id);
    if (vSwitch === undefined) throw apiError("InvalidVSwitchId.NotFound", { id });
    return renderVSwitch(view, vSwitch);
  },
});
