/* Follows two simple averages: long while the fast one is above the slow one.
 *
 * What a component exports is in wit/strategy.wit; strategy.h is made of it by wit-bindgen. What a function is given or
 * gives is its own to free: texts and lists are allocated. */

#include <stdlib.h>
#include <string.h>

#include "strategy.h"

/* The names of the bindings, without their prefix. */
#define P(name) exports_bellwether_strategy_plugin_##name

enum { FAST, SLOW, PARAMS, LOWEST = 2, MOST = 1000 };

static const char *const NAMES[PARAMS] = {"fast", "slow"};
static const char *const DEFAULTS[PARAMS] = {"10", "30"};
static const char *const HELP[PARAMS] = {"bars of the fast average", "bars of the slow average"};

/* All of its state but the parameters, by instrument. */
static struct series {
    double closes[MOST];
    uint32_t count;
} *state;
static size_t seats;
static uint32_t params[PARAMS];
static double unit[65536];
static P(list_action_t) asked;

static strategy_string_t text(const char *words) {
    strategy_string_t made;
    strategy_string_dup(&made, words);
    return made;
}

static bool is(const strategy_string_t *a, const char *b) { return a->len == strlen(b) && !memcmp(a->ptr, b, a->len); }

static void wish(uint16_t instrument, uint8_t direction, const char *reason) {
    asked.ptr = realloc(asked.ptr, (asked.len + 1) * sizeof *asked.ptr);
    P(action_t) *action = &asked.ptr[asked.len++];
    memset(action, 0, sizeof *action);
    action->tag = EXPORTS_BELLWETHER_STRATEGY_PLUGIN_ACTION_SIGNAL;
    P(signal_t) *signal = &action->val.signal;
    signal->instrument = instrument;
    signal->direction = direction;
    signal->strength = signal->confidence = 1;
    signal->reason = text(reason);
    signal->ts_made = signal->ts_received = INT64_MIN;
}

void P(describe)(P(manifest_t) *ret) {
    memset(ret, 0, sizeof *ret);
    ret->name = text("{{ident}}");
    ret->summary = text("long while a fast average is above a slow one");
    ret->version = text("0.1.0");
    ret->sdk = text("c");
    ret->directional = true;
    ret->state_version = 1;
    ret->params.len = PARAMS;
    ret->params.ptr = calloc(PARAMS, sizeof *ret->params.ptr);
    for (int i = 0; i < PARAMS; i++) {
        P(param_spec_t) *spec = &ret->params.ptr[i];
        spec->name = text(NAMES[i]);
        spec->help = text(HELP[i]);
        spec->kind = text("integer");
        spec->default_.is_some = spec->range.is_some = true;
        spec->default_.val = text(DEFAULTS[i]);
        spec->range.val.f0 = text("2");
        spec->range.val.f1 = text("1000");
    }
    P(order_kinds_t) every = {true, true, true, true, true};
    ret->capabilities.orders = every;
}

static uint32_t number(const strategy_string_t *given) {
    uint32_t value = 0;
    for (size_t i = 0; i < given->len; i++) {
        uint32_t digit = (uint32_t)given->ptr[i] - '0';
        if (digit > 9 || value > MOST) return 0;
        value = 10 * value + digit;
    }
    return value;
}

bool P(create)(strategy_list_tuple2_string_string_t *given, P(created_t) *ret, P(param_error_t) *err) {
    memset(err, 0, sizeof *err);
    params[FAST] = 10;
    params[SLOW] = 30;
    for (size_t g = 0; g < given->len; g++) {
        strategy_tuple2_string_string_t *pair = &given->ptr[g];
        int i = 0;
        while (i < PARAMS && !is(&pair->f0, NAMES[i])) i++;
        /* The texts are passed on to whoever asked. */
        if (i == PARAMS) {
            err->tag = EXPORTS_BELLWETHER_STRATEGY_PLUGIN_PARAM_ERROR_UNKNOWN;
            err->val.unknown.f0 = pair->f0;
            err->val.unknown.f1 = text("fast, slow");
            return false;
        }
        params[i] = number(&pair->f1);
        if (params[i] < LOWEST || params[i] > MOST) {
            err->tag = EXPORTS_BELLWETHER_STRATEGY_PLUGIN_PARAM_ERROR_VALUE;
            err->val.value.f0 = pair->f0;
            err->val.value.f1 = pair->f1;
            err->val.value.f2 = text("must be a whole number from 2 to 1000");
            return false;
        }
    }
    if (params[FAST] >= params[SLOW]) {
        err->tag = EXPORTS_BELLWETHER_STRATEGY_PLUGIN_PARAM_ERROR_CONFLICT;
        err->val.conflict = text("fast must be below slow");
        return false;
    }
    strategy_list_tuple2_string_string_free(given);
    ret->account = EXPORTS_BELLWETHER_STRATEGY_PLUGIN_ACCOUNT_CASH;
    ret->warmup = params[SLOW];
    return true;
}

void P(seat)(uint8_t equity_scale, P(list_instrument_t) *all, strategy_list_u16_t *mine) {
    (void)equity_scale, (void)mine;
    seats = all->len;
    state = calloc(seats, sizeof *state);
    for (size_t i = 0; i < all->len; i++) {
        unit[i] = 1;
        for (int digit = 0; digit < all->ptr[i].price_scale; digit++) unit[i] *= 10;
    }
    P(list_instrument_free)(all);
}

static double average(const double *closes, uint32_t count) {
    double sum = 0;
    for (uint32_t i = 0; i < count; i++) sum += closes[i];
    return sum / count;
}

uint32_t P(on_bar)(P(moment_t) *at, P(bar_t) *bar) {
    (void)at;
    struct series *own = &state[bar->instrument];
    if (own->count == params[SLOW]) memmove(own->closes, own->closes + 1, --own->count * sizeof *own->closes);
    own->closes[own->count++] = bar->close / unit[bar->instrument];
    if (own->count < params[SLOW]) return 0;
    /* Said at every bar: a wish that is fulfilled makes no order, and one that came to nothing is made again. */
    if (average(own->closes + params[SLOW] - params[FAST], params[FAST]) > average(own->closes, params[SLOW])) {
        wish(bar->instrument, EXPORTS_BELLWETHER_STRATEGY_PLUGIN_DIRECTION_LONG, "the fast average is above the slow one");
    } else {
        wish(bar->instrument, EXPORTS_BELLWETHER_STRATEGY_PLUGIN_DIRECTION_FLAT, "the fast average is not above the slow one");
    }
    return asked.len;
}

void P(take)(P(list_action_t) *ret) {
    *ret = asked;
    memset(&asked, 0, sizeof asked);
}

void P(save)(strategy_list_u8_t *ret) {
    ret->len = seats * sizeof *state;
    ret->ptr = malloc(ret->len);
    memcpy(ret->ptr, state, ret->len);
}

bool P(restore)(strategy_list_u8_t *saved, strategy_string_t *err) {
    if (saved->len != seats * sizeof *state) {
        *err = text("a state of another version, or of other instruments");
        return false;
    }
    memcpy(state, saved->ptr, saved->len);
    strategy_list_u8_free(saved);
    for (size_t i = 0; i < seats; i++) {
        if (state[i].count > params[SLOW]) {
            *err = text("a state of other parameters");
            return false;
        }
    }
    return true;
}

void P(observe)(uint16_t instrument, P(observed_t) *ret) {
    (void)instrument;
    memset(ret, 0, sizeof *ret);
}

/* What it does not listen to. */
void P(sync)(
    P(list_seen_t) *seen, P(list_position_t) *positions, P(list_open_order_t) *orders, P(list_feature_t) *features
) {
    P(list_seen_free)(seen);
    P(list_position_free)(positions);
    P(list_feature_free)(features);
    if (orders) P(list_open_order_free)(orders);
}
uint32_t P(start)(P(moment_t) *at) { return (void)at, 0; }
uint32_t P(stop)(P(moment_t) *at) { return (void)at, 0; }
uint32_t P(on_trade)(P(moment_t) *at, P(trade_t) *trade) { return (void)at, (void)trade, 0; }
uint32_t P(on_quote)(P(moment_t) *at, P(quote_t) *quote) { return (void)at, (void)quote, 0; }
uint32_t P(on_funding)(P(moment_t) *at, P(funding_t) *funding) { return (void)at, (void)funding, 0; }
uint32_t P(on_fill)(P(moment_t) *at, P(fill_t) *fill) { return (void)at, (void)fill, 0; }
uint32_t P(on_timer)(P(moment_t) *at, uint64_t timer) { return (void)at, (void)timer, 0; }
uint32_t P(on_signal)(P(moment_t) *at, P(signal_t) *signal) { return (void)at, P(signal_free)(signal), 0; }
uint32_t P(on_order)(P(moment_t) *at, P(order_update_t) *update) { return (void)at, P(order_update_free)(update), 0; }
uint32_t P(on_book)(
    P(moment_t) *at, int64_t ts, uint16_t instrument, P(list_level_t) *bids, P(list_level_t) *asks
) {
    (void)at, (void)ts, (void)instrument;
    P(list_level_free)(bids);
    P(list_level_free)(asks);
    return 0;
}
uint32_t P(on_trades)(uint16_t instrument, strategy_list_s64_t *rows) { return (void)instrument, (void)rows, 0; }
uint32_t P(on_bars)(uint16_t instrument, int64_t interval, strategy_list_s64_t *rows) {
    return (void)instrument, (void)interval, (void)rows, 0;
}
