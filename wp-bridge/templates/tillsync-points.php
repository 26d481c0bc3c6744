<?php
/**
 * Points of the logged-in shopper.
 *
 * To change it, copy this file to yourtheme/tillsync-bridge/tillsync-points.php. It prints nothing without points.
 *
 * @package Tillsync\Bridge
 * @version 0.1.0
 *
 * @var string|null $points        The points, in the language of the page; null when they are not known.
 * @var string      $as_of         Date and time of the till read.
 * @var string      $as_of_machine The same for the attribute datetime.
 */

defined( 'ABSPATH' ) || exit;

if ( null === $points ) {
	return;
}
?>
<p class="tillsync-points-balance">
	<?php
	printf(
		/* translators: %s: number of points */
		esc_html__( 'Your points: %s', 'tillsync-bridge' ),
		'<strong class="tillsync-points-number">' . esc_html( $points ) . '</strong>'
	);
	?>
</p>
<p class="tillsync-points-time">
	<?php
	printf(
		/* translators: %s: date and time */
		esc_html__( 'As of %s', 'tillsync-bridge' ),
		'<time datetime="' . esc_attr( $as_of_machine ) . '">' . esc_html( $as_of ) . '</time>'
	);
	?>
</p>
