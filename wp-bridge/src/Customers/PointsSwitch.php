<?php
/**
 * The setting that shows points.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Customers;

use Tillsync\Bridge\Log;
use Tillsync\Bridge\SafeCall;

/** Stores the merchant's choice whether shoppers see points. */
final class PointsSwitch {

	public const OPTION = 'tillsync_bridge_show_points';
	public const ON     = 'yes';

	public function __construct( private readonly Log $log ) {}

	/** Tells whether shoppers see points. The default is yes. */
	public function is_on(): bool {
		$is_on = 'no' !== get_option( self::OPTION, self::ON );
		return (bool) SafeCall::run(
			$this->log,
			'tillsync_show_points',
			static function () use ( $is_on ) {
				/**
				 * Filters whether points are shown to shoppers.
				 *
				 * @param bool $is_on The merchant's choice.
				 */
				return apply_filters( 'tillsync_show_points', $is_on );
			},
			$is_on
		);
	}

	/** Stores the choice. The option is autoloaded, because pages of the shop read it. */
	public function set( bool $on ): void {
		update_option( self::OPTION, $on ? self::ON : 'no', true );
	}
}
