<?php
/**
 * The page WooCommerce → Till customer types.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;

use Closure;
use Tillsync\Bridge\Customers\CustomerTable;
use Tillsync\Bridge\Customers\PointsDisplay;
use Tillsync\Bridge\Customers\PointsSwitch;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Rest\AdminGate;
use Tillsync\Bridge\SafeCall;
use Tillsync\Bridge\Types\CustomerType;
use Tillsync\Bridge\Types\RoleMap;
use Tillsync\Bridge\Types\RoleRules;
use Tillsync\Bridge\Types\RoleRun;
use Tillsync\Bridge\Types\TypeTable;

/** Shows the role of each customer type, a preview of changes, their progress, and the setting that shows points to shoppers. */
final class TypesScreen {

	public const PAGE = 'tillsync-types';

	private const SCRIPT = 'tillsync-types';

	public function __construct(
		private readonly RoleRun $role_run,
		private readonly RoleRules $role_rules,
		private readonly PointsSwitch $points_switch,
		private readonly TypeTable $types,
		private readonly CustomerTable $customers,
		private readonly Log $log
	) {}

	public static function address(): string {
		return admin_url( 'admin.php?page=' . self::PAGE );
	}

	/** @param Closure(): self $made Creates the object when a request comes. */
	public static function add_page( Closure $made ): void {
		add_submenu_page(
			'woocommerce',
			__( 'Customer types', 'tillsync-bridge' ),
			__( 'Till customer types', 'tillsync-bridge' ),
			AdminGate::CAPABILITY,
			self::PAGE,
			static fn() => SafeCall::run( $made()->log, 'screen of customer types', static fn() => $made()->show() )
		);
	}

	private function show(): void {
		$types  = $this->types->all();
		$counts = $this->customers->count_by_type();
		$map    = RoleMap::saved();
		$this->enqueue();
		echo '<div class="wrap tillsync-types"><h1>' . esc_html__( 'Customer types', 'tillsync-bridge' ) . '</h1>';
		$this->show_flash();
		printf( '<div class="tillsync-progress" role="status">%s</div>', esc_html( self::progress_sentence( $this->role_run->progress() ) ) );
		echo '<p>' . esc_html__( 'Give customers of a till type an extra role. Only roles without admin rights are listed. Staff accounts are never changed, and only a role that was given here is removed.', 'tillsync-bridge' ) . '</p>';
		echo '<p><strong>' . esc_html__( 'The discount of a type is not applied to any price in this shop.', 'tillsync-bridge' ) . '</strong> ';
		/* translators: %s: name of a filter */
		echo wp_kses( sprintf( __( 'It is shown for information, and other plugins can read it by the filter %s.', 'tillsync-bridge' ), '<code>tillsync_customer_type_discount</code>' ), array( 'code' => array() ) ) . '</p>';
		// The list also has types of customers that the till has not sent, and mapped types.
		$type_ids = array_unique( array_merge( array_keys( $types ), array_keys( $counts ), $map->type_ids() ) );
		$type_ids = array_filter( $type_ids, static fn( int $type_id ) => ! isset( $types[ $type_id ] ) || ! $types[ $type_id ]->removed || isset( $map->entries[ $type_id ] ) || isset( $counts[ $type_id ] ) );
		if ( array() === $type_ids ) {
			echo '<p>' . esc_html__( 'The shop has no customer types from the till yet. They appear here when customer sync is on.', 'tillsync-bridge' ) . '</p>';
		} else {
			$this->show_map( $type_ids, $types, $counts, $map );
		}
		$this->show_points_switch();
		echo '</div>';
	}

	/**
	 * @param int[]                    $type_ids Types to list.
	 * @param array<int, CustomerType> $types    Stored types by id.
	 * @param array<int, int>          $counts   Numbers of members by type.
	 */
	private function show_map( array $type_ids, array $types, array $counts, RoleMap $map ): void {
		$choices = $this->role_rules->choices();
		printf( '<form method="post" action="%s" id="tillsync-role-map">', esc_url( admin_url( 'admin-post.php' ) ) );
		printf( '<input type="hidden" name="action" value="%s">', esc_attr( TypesActions::SAVE_MAP ) );
		wp_nonce_field( TypesActions::SAVE_MAP );
		echo '<table class="wp-list-table widefat striped"><thead><tr>';
		foreach ( array( __( 'Type', 'tillsync-bridge' ), ...self::heads() ) as $head ) {
			printf( '<th scope="col">%s</th>', esc_html( $head ) );
		}
		echo '</tr></thead><tbody>';
		foreach ( $type_ids as $type_id ) {
			$this->show_type( $type_id, $types[ $type_id ] ?? null, $counts[ $type_id ] ?? 0, $map, $choices['allowed'] );
		}
		echo '</tbody></table><p class="tillsync-buttons">';
		printf( '<button type="button" class="button" id="tillsync-preview">%s</button> ', esc_html__( 'Preview', 'tillsync-bridge' ) );
		printf( '<button type="submit" class="button button-primary">%s</button></p></form>', esc_html__( 'Save changes', 'tillsync-bridge' ) );
		echo '<div id="tillsync-preview-result" role="status"></div>';
		if ( array() !== $choices['refused'] ) {
			echo '<details><summary>' . esc_html__( 'Roles that are not offered, and why', 'tillsync-bridge' ) . '</summary><ul class="tillsync-notes">';
			foreach ( $choices['refused'] as $refused ) {
				printf( '<li>%s: %s</li>', esc_html( $refused['name'] ), esc_html( $refused['reason'] ) );
			}
			echo '</ul></details>';
		}
	}

	/**
	 * Returns the heads of the columns after the type's. On a phone they precede each value.
	 *
	 * @return string[]
	 */
	private static function heads(): array {
		return array( __( 'Discount', 'tillsync-bridge' ), __( 'Customers', 'tillsync-bridge' ), __( 'Role', 'tillsync-bridge' ), __( 'When the till deletes the type', 'tillsync-bridge' ) );
	}

	/** @param array<string, string> $roles Roles that may be chosen. */
	private function show_type( int $type_id, ?CustomerType $type, int $count, RoleMap $map, array $roles ): void {
		$name   = CustomerType::label( $type_id, $type );
		$chosen = $map->role_of( $type_id ) ?? '';
		if ( '' !== $chosen && ! isset( $roles[ $chosen ] ) ) {
			/* translators: %s: a role */
			$roles[ $chosen ] = sprintf( __( '%s (cannot be given any more)', 'tillsync-bridge' ), translate_user_role( wp_roles()->get_names()[ $chosen ] ?? $chosen ) );
		}
		$options = sprintf( '<option value="">%s</option>', esc_html__( 'no role', 'tillsync-bridge' ) );
		foreach ( $roles as $role => $role_name ) {
			$options .= sprintf( '<option value="%s"%s>%s</option>', esc_attr( $role ), selected( $role, $chosen, false ), esc_html( $role_name ) );
		}
		$when = '';
		foreach ( array( RoleMap::TAKE => __( 'remove the role from its customers', 'tillsync-bridge' ), RoleMap::KEEP => __( 'let its customers keep the role', 'tillsync-bridge' ) ) as $value => $text ) {
			$when .= sprintf( '<option value="%s"%s>%s</option>', esc_attr( $value ), selected( RoleMap::KEEP === $value, $map->keeps_when_deleted( $type_id ), false ), esc_html( $text ) );
		}
		// phpcs:disable WordPress.Security.EscapeOutput -- options are escaped above.
		printf(
			'<tr><th scope="row">%1$s <span class="description">#%2$d%3$s</span></th><td data-head="%10$s">%4$s</td><td data-head="%11$s">%5$s</td>'
			. '<td data-head="%12$s"><select name="map[%2$d][role]" aria-label="%6$s">%7$s</select></td><td data-head="%13$s"><select name="map[%2$d][when_deleted]" aria-label="%8$s">%9$s</select></td></tr>',
			esc_html( $name ),
			$type_id,
			null !== $type && $type->removed ? ', ' . esc_html__( 'deleted at the till', 'tillsync-bridge' ) : '',
			/* translators: %s: number, percent */
			null === $type ? '' : esc_html( sprintf( __( '%s %%', 'tillsync-bridge' ), $type->discount ) ),
			esc_html( number_format_i18n( $count ) ),
			/* translators: %s: name of a customer type */
			esc_attr( sprintf( __( 'Role of %s', 'tillsync-bridge' ), $name ) ),
			$options,
			/* translators: %s: name of a customer type */
			esc_attr( sprintf( __( 'When the till deletes %s', 'tillsync-bridge' ), $name ) ),
			$when,
			...array_map( 'esc_attr', self::heads() )
		);
		// phpcs:enable
	}

	private function show_points_switch(): void {
		echo '<h2>' . esc_html__( 'What shoppers see', 'tillsync-bridge' ) . '</h2>';
		printf( '<form method="post" action="%s"><input type="hidden" name="action" value="%s">', esc_url( admin_url( 'admin-post.php' ) ), esc_attr( TypesActions::SAVE_POINTS ) );
		wp_nonce_field( TypesActions::SAVE_POINTS );
		printf( '<p><label><input type="checkbox" name="show_points" value="1"%s> %s</label></p>', checked( $this->points_switch->is_on(), true, false ), esc_html__( 'Show linked shoppers their points, on the My account dashboard and wherever the block or the shortcode stands', 'tillsync-bridge' ) );
		echo '<p>' . wp_kses( sprintf( /* translators: %s: a shortcode */ __( 'Block: "Till points". Shortcode: %s.', 'tillsync-bridge' ), '<code>[' . PointsDisplay::SHORTCODE . ']</code>' ), array( 'code' => array() ) ) . '</p>';
		printf( '<p><button type="submit" class="button">%s</button></p></form>', esc_html__( 'Save changes', 'tillsync-bridge' ) );
	}

	private function show_flash(): void {
		$flash = Flash::pop();
		if ( null !== $flash ) {
			printf( '<div class="notice notice-%s"><p>%s</p></div>', esc_attr( $flash['kind'] ), implode( '<br>', array_map( 'esc_html', $flash['lines'] ) ) ); // phpcs:ignore WordPress.Security.EscapeOutput -- escaped line by line.
		}
	}

	/** @param array{running: bool, total: int, left: int, changed: int, ended_at: int} $progress Progress of RoleRun. */
	private static function progress_sentence( array $progress ): string {
		if ( ! $progress['running'] ) {
			return '';
		}
		/* translators: 1: number of customers done, 2: number of all customers */
		return sprintf( __( 'Roles: %1$s of %2$s customers done …', 'tillsync-bridge' ), number_format_i18n( $progress['total'] - $progress['left'] ), number_format_i18n( $progress['total'] ) );
	}

	private function enqueue(): void {
		$assets = plugins_url( 'assets/', \Tillsync\Bridge\PLUGIN_FILE );
		wp_enqueue_style( 'tillsync-bridge', $assets . 'tillsync.css', array(), \Tillsync\Bridge\VERSION );
		wp_enqueue_style( self::SCRIPT, $assets . 'types.css', array( 'tillsync-bridge' ), \Tillsync\Bridge\VERSION );
		wp_enqueue_script( self::SCRIPT, $assets . 'types.js', array( SharedScript::handle(), 'wp-i18n' ), \Tillsync\Bridge\VERSION, true );
		wp_set_script_translations( self::SCRIPT, 'tillsync-bridge' );
		$given = array( 'namespace' => AdminGate::NAMESPACE, 'running' => $this->role_run->progress()['running'] );
		wp_add_inline_script( self::SCRIPT, 'window.tillsyncTypes = ' . wp_json_encode( $given, JSON_HEX_TAG ) . ';', 'before' );
	}
}
