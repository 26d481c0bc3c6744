<?php
/**
 * REST routes.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Boot;

use Tillsync\Bridge\Confirmation\ConfirmationPages;
use Tillsync\Bridge\Customers\LinkRoutes;
use Tillsync\Bridge\Health\SiteHealth;
use Tillsync\Bridge\Orders\OrderActions;
use Tillsync\Bridge\Rest\AdminRoutes;
use Tillsync\Bridge\Rest\CustomersBatchRoute;
use Tillsync\Bridge\Rest\CustomersRoute;
use Tillsync\Bridge\Rest\CustomerTypesRoute;
use Tillsync\Bridge\Rest\EventsRoute;
use Tillsync\Bridge\Rest\HistoryRoutes;
use Tillsync\Bridge\Rest\OutboxRoute;
use Tillsync\Bridge\Rest\ShopperPointsRoute;
use Tillsync\Bridge\Rest\StatusRoute;
use Tillsync\Bridge\Screens\SettingsActions;
use Tillsync\Bridge\Types\RoleRoutes;

/** Adds the routes when WordPress creates its REST server. A route's object is created by the first request to it. */
final class RestRoutes {

	/** Classes of the routes that need WooCommerce. Each has a static `add_routes( Closure $made )`. */
	private const OF_SHOP = array(
		CustomersBatchRoute::class, CustomersRoute::class, CustomerTypesRoute::class, EventsRoute::class, ShopperPointsRoute::class,
		LinkRoutes::class, ConfirmationPages::class, RoleRoutes::class, OrderActions::class, SettingsActions::class, AdminRoutes::class,
		SiteHealth::class, HistoryRoutes::class, OutboxRoute::class,
	);

	public static function add( LazyHooks $hooks, bool $has_woocommerce ): void {
		foreach ( $has_woocommerce ? array( StatusRoute::class, ...self::OF_SHOP ) : array( StatusRoute::class ) as $name ) {
			$made = $hooks->factory( $name );
			$hooks->call_guarded( 'rest_api_init', static fn() => $name::add_routes( $made ) );
		}
	}
}
