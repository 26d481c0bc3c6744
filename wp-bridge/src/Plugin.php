<?php
/**
 * The composition root.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge;

use Throwable;

/** Boots the parts. A part that fails to load is logged and left out: the shop goes on. */
final class Plugin {

	/**
	 * Every part of the plugin. True: it needs WooCommerce.
	 *
	 * @var array<class-string<Part>, bool>
	 */
	private const PARTS = array(
		Schema\Upkeep::class                => false,
		Rest\StatusRoute::class             => false,
		Rest\CustomersBatchRoute::class     => true,
		Rest\CustomersRoute::class          => true,
		Rest\CustomerTypesRoute::class      => true,
		Rest\EventsRoute::class             => true,
		Rest\ShopperPointsRoute::class      => true,
		Customers\ShopUsers::class          => false,
		Customers\PointsDisplay::class      => true,
		Customers\ProfilePanel::class       => true,
		Customers\LinkDesk::class           => true,
		Confirmation\ConfirmationHooks::class => false,
		Confirmation\ConfirmationPages::class => true,
		Confirmation\ConfirmationActions::class => true,
		Types\RoleKeeper::class             => false,
		Types\RoleRun::class                => false,
		Types\TypeDiscount::class           => true,
		Types\RoleRoutes::class             => true,
		Screens\TypesScreen::class          => true,
		Screens\TypesActions::class         => true,
		Users\UserWatch::class              => false,
		Orders\OrderHook::class             => true,
		Orders\DrainJob::class              => true,
		Orders\OrderActions::class          => true,
		Orders\OrderPanel::class            => true,
		Orders\OrderColumn::class           => true,
		Screens\SettingsIntegration::class  => true,
		Screens\QueuesPage::class           => true,
		Screens\Notices::class              => true,
		Rest\AdminRoutes::class             => true,
		Health\CauseKeeper::class           => true,
		Health\SiteHealth::class            => true,
		Emails\EmailParts::class            => true,
		Privacy\PrivacyTools::class         => true,
		Cli\CliCommands::class              => true,
	);

	private static ?Services $services = null;

	public static function services(): Services {
		return self::$services ??= new Services();
	}

	public static function boot(): void {
		$services        = self::services();
		$has_woocommerce = class_exists( 'WooCommerce', false );
		foreach ( self::PARTS as $name => $needs_woocommerce ) {
			if ( $needs_woocommerce && ! $has_woocommerce ) {
				continue;
			}
			try {
				$part = $services->get( $name );
				$part->register();
			} catch ( Throwable $error ) {
				$services->log()->failure( "boot of $name", $error );
			}
		}
		if ( ! $has_woocommerce ) {
			// "Requires Plugins" is ignored before WordPress 6.5.
			add_action( 'admin_notices', array( self::class, 'woocommerce_missing' ) );
		}
	}

	public static function woocommerce_missing(): void {
		if ( ! current_user_can( 'activate_plugins' ) ) {
			return;
		}
		printf(
			'<div class="notice notice-warning"><p>%s</p></div>',
			esc_html__( 'Tillsync Bridge needs WooCommerce: orders are not matched until WooCommerce is active.', 'tillsync-bridge' )
		);
	}

	/** Activation: the tables. On a network every site makes its own when it first needs them. */
	public static function activated(): void {
		Guarded::call( self::services(), 'activation', static fn() => self::services()->get( Schema\Upkeep::class )->check() );
	}

	/**
	 * Deactivation: nothing of ours stays scheduled. The connection, the tables and the answers stay, for a later activation.
	 *
	 * @param bool $network_wide Whether every site of the network loses the plugin.
	 */
	public static function deactivated( $network_wide = false ): void {
		$unschedule = static function (): void {
			Guarded::call( self::services(), 'deactivation', static fn() => Schedule::clear_all() );
		};
		if ( ! $network_wide || ! is_multisite() ) {
			$unschedule();
			return;
		}
		foreach ( get_sites( array( 'fields' => 'ids', 'number' => 0 ) ) as $site_id ) {
			switch_to_blog( $site_id );
			$unschedule();
			restore_current_blog();
		}
	}
}
