from ibcore.demonstrations.margin_bounds import draw_margins, explore_margins


def ratio(random, divisor):
    return float(
        draw_margins(random, 0.01, divisor)[1].split(" is ")[1].split(" times")[0]
    )


def test_raw_margins_change_their_order_with_training_and_normalized_ones_do_not():
    assert ratio(0.3, "nothing") > 1 > ratio(0.001, "nothing")
    assert min(ratio(loss, "spectral complexity") for loss in (0.3, 0.001)) > 2


def test_the_picture_has_a_curve_and_a_median_for_each_labeling():
    figure, sentence = draw_margins(0.01, 0.01, "nothing")
    assert len(figure.axes[0].lines) == 4
    assert "divided by nothing" in sentence
    explorer = explore_margins()
    assert "true" in explorer.frame(explorer.start).sentence
