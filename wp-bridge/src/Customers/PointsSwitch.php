<?php
/**
 * Whether shoppers see points.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Customers;

use Tillsync\Bridge\Log;
use Tillsync\Bridge\SafeCall;

/** The merchant's choice. */
final class PointsSwitch {

	private const OPTION = 'tillsync_bridge_show_points';

	public function __construct( private readonly Log $log ) {}

	/** Whether the merchant wants shoppers to see points. On unless switched off. */
	public function is_on(): bool {
		$is_on = 'no' !== get_option( self::OPTION, 'yes' );
		return (bool) SafeCall::run(
			$this->log,
			'tillsync_show_points',
			static function () use ( $is_on ) {
				/**
				 * Whether points are shown to shoppers.
				 *
				 * @param bool $is_on As the merchant chose.
				 */
				return apply_filters( 'tillsync_show_points', $is_on );
			},
			$is_on
		);
	}

	/** Autoloaded: it is read on pages of the shop. */
	public function set( bool $on ): void {
		update_option( self::OPTION, $on ? 'yes' : 'no', true );
	}
}
