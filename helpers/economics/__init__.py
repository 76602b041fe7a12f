"""Economics of models and ventures: counts, memory, cost of training and serving, runway. Never imports torch."""

from helpers.economics.accelerators import Accelerator, accelerator, accelerators, find_accelerator
from helpers.economics.bill import Bill, bill, duration, si
from helpers.economics.counting import Count, Layer, count_cnn, count_lstm, count_mlp
from helpers.economics.decoder import LatentAttention, count_transformer
from helpers.economics.experts import (
    BrierParts,
    Calibration,
    brier,
    brier_parts,
    calibrate,
    linear_pool,
    log_pool,
)
from helpers.economics.failures import baseline, mention_shares, postmortems, survival_table
from helpers.economics.hazards import CAUSES, Hazards, aalen_johansen, fit_survival, kaplan_meier, rate_of
from helpers.economics.ledger import Entry, read_ledger
from helpers.economics.market import Estimate, Market, market_size, product_of_ranges
from helpers.economics.memory import (
    TRAINING_STATES,
    kv_cache_bytes,
    memory_activations,
    memory_inference,
    memory_training,
)
from helpers.economics.options import (
    Flexible,
    Staged,
    binomial_option,
    black_scholes,
    flexible_value,
    staged_value,
)
from helpers.economics.plan import VenturePlan, plan_venture
from helpers.economics.plan_paths import draw_values, launch_days, month_by_month, unit_economics
from helpers.economics.portfolio import Multiples, Portfolios, investments_needed, portfolios, tail_index
from helpers.economics.prices import Price, price, price_range, prices
from helpers.economics.runway import (
    QUANTILES,
    Runway,
    burn_multiple,
    cash_paths,
    dilution,
    lifetime_to_acquisition,
    lifetime_value,
    net_burn,
    payback_months,
    ruin_by_month,
    runway,
    runway_months,
)
from helpers.economics.scorecard import (
    Turn,
    leader,
    leading_shares,
    overtaking_chances,
    smallest_turns,
    spread_weights,
    weight_bounds,
    weighted_totals,
)
from helpers.economics.sensitivity import Sobol, ishigami, latin, sobol
from helpers.economics.serving_cost import (
    ServingPlan,
    decode_step_seconds,
    gross_margin,
    plan_serving,
    prefill_tokens_per_second,
    price_per_million,
)
from helpers.economics.training_cost import (
    Rents,
    TrainingPlan,
    device_hours,
    energy_kwh,
    min_devices,
    plan_training,
    rents_of,
    training_flops,
)
from helpers.economics.valuation import (
    DiscountedCashFlow,
    VentureMethod,
    dcf,
    forecast_cash_flows,
    irr,
    moic,
    present_value,
    target_rate,
    terminal_value,
    venture_method,
    wacc,
)
from helpers.economics.venture import Assumption, Venture, read_venture, write_venture

__all__ = [
    "BrierParts", "Calibration", "DiscountedCashFlow", "Estimate", "Flexible", "Market", "Multiples",
    "Portfolios", "Staged", "Turn", "VentureMethod", "binomial_option", "black_scholes", "brier", "brier_parts",
    "calibrate", "dcf", "flexible_value", "forecast_cash_flows", "investments_needed", "irr", "leader",
    "leading_shares", "linear_pool", "log_pool", "market_size", "moic", "overtaking_chances", "portfolios",
    "present_value", "product_of_ranges", "smallest_turns", "spread_weights", "staged_value", "tail_index",
    "target_rate", "terminal_value", "venture_method", "wacc", "weight_bounds", "weighted_totals",
    "CAUSES", "Hazards", "aalen_johansen", "baseline", "fit_survival", "kaplan_meier", "mention_shares", "postmortems",
    "rate_of", "survival_table",
    "QUANTILES", "TRAINING_STATES", "Accelerator", "Bill", "Count", "LatentAttention", "Layer", "Price", "Rents",
    "Runway", "ServingPlan", "TrainingPlan", "accelerator", "accelerators", "bill", "burn_multiple", "cash_paths",
    "count_cnn", "count_lstm", "count_mlp", "count_transformer", "decode_step_seconds", "device_hours", "dilution",
    "duration", "energy_kwh", "find_accelerator", "gross_margin", "kv_cache_bytes", "lifetime_to_acquisition",
    "lifetime_value", "memory_activations", "memory_inference", "memory_training", "min_devices", "net_burn",
    "payback_months", "plan_serving", "plan_training", "prefill_tokens_per_second", "price", "price_per_million",
    "price_range", "prices", "rents_of", "ruin_by_month", "runway", "runway_months", "si", "training_flops",
    "Assumption", "Entry", "Sobol", "Venture", "VenturePlan", "draw_values", "ishigami", "latin", "launch_days",
    "month_by_month", "plan_venture", "read_ledger", "read_venture", "sobol", "unit_economics", "write_venture",
]
