"""Economics of models and ventures: counts, memory, cost of training and serving, runway. Never imports torch."""

from helpers.economics.accelerators import Accelerator, accelerator, accelerators, find_accelerator
from helpers.economics.bill import Bill, bill, duration, si
from helpers.economics.counting import Count, Layer, count_cnn, count_lstm, count_mlp
from helpers.economics.decoder import LatentAttention, count_transformer
from helpers.economics.memory import (
    TRAINING_STATES,
    kv_cache_bytes,
    memory_activations,
    memory_inference,
    memory_training,
)
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

__all__ = [
    "QUANTILES", "TRAINING_STATES", "Accelerator", "Bill", "Count", "LatentAttention", "Layer", "Price", "Rents",
    "Runway", "ServingPlan", "TrainingPlan", "accelerator", "accelerators", "bill", "burn_multiple", "cash_paths",
    "count_cnn", "count_lstm", "count_mlp", "count_transformer", "decode_step_seconds", "device_hours", "dilution",
    "duration", "energy_kwh", "find_accelerator", "gross_margin", "kv_cache_bytes", "lifetime_to_acquisition",
    "lifetime_value", "memory_activations", "memory_inference", "memory_training", "min_devices", "net_burn",
    "payback_months", "plan_serving", "plan_training", "prefill_tokens_per_second", "price", "price_per_million",
    "price_range", "prices", "rents_of", "ruin_by_month", "runway", "runway_months", "si", "training_flops",
]
